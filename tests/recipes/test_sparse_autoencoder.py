"""The sparse autoencoder from the command line: what it shows, keeps, repeats and refuses."""

import json
import os
import subprocess
import sys
import time
from typing import get_args

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch import nn

import regularizers as rz
from recipes.commands import after_line, assert_refused, figures, interrupted, only_folder, run

# a recipe's parts are private; each is tested without the training around it
from regularizers.recipes._settings import Architecture
from regularizers.recipes.sparse_autoencoder import Config, _command
from regularizers.recipes.sparse_autoencoder._data import load
from regularizers.recipes.sparse_autoencoder._metrics import measure
from regularizers.recipes.sparse_autoencoder._networks import activations_of, build
from regularizers.recipes.sparse_autoencoder._recovered import Classifier
from regularizers.recipes.sparse_autoencoder._training import train

# what the library knows is spelled by a type alone
from regularizers.sae._architectures import Architecture as Known

QUICK = ["sparse-autoencoder", "--units", "12", "--active", "3", "--steps", "20"]
SMALL = [*QUICK, "--batch-size", "32"]
LONG = ["sparse-autoencoder", "--units", "12", "--active", "3", "--steps", "500"]


@pytest.fixture
def table():
    """Two blobs along different axes: enough for networks to have something to learn."""
    rng = np.random.default_rng(0)
    return rng.random((120, 9)) * np.repeat([[1] * 4 + [0] * 5, [0] * 4 + [1] * 5], 60, axis=0)


@pytest.fixture
def data(tmp_path, table):
    np.save(tmp_path / "table.npy", table)
    return tmp_path / "table.npy"


@pytest.fixture
def folder(tmp_path, table):
    """The same as a store of activations."""
    rows = torch.from_numpy(table).float()
    stream = rz.sae.activations(nn.Identity(), "", rows.split(30))
    return stream.store(tmp_path / "stored", shard_rows=50)


@pytest.fixture
def sites(tmp_path, table):
    """A store of two sites, of which the second is twice the first."""
    model = nn.Sequential(nn.Identity(), nn.Linear(9, 9, bias=False))
    nn.init.eye_(model[1].weight).data.mul_(2)
    rows = torch.from_numpy(table).float()
    stream = rz.sae.activations(model, ["0", "1"], rows.split(30))
    return stream.store(tmp_path / "two", shard_rows=50)


def history(folder, kind):
    return json.loads((folder / "training.json").read_text())[kind]["history"]


def test_it_ends_with_a_table_and_a_folder_named_in_the_last_line(tmp_path, data, capsys):
    assert run(*QUICK, "--data", data, "--runs", tmp_path / "runs") == 0
    folder = only_folder(tmp_path / "runs")
    printed = capsys.readouterr().out.strip().splitlines()
    assert printed[-1].endswith(str(folder))
    (top,) = (i for i, line in enumerate(printed) if line.startswith("network"))
    for column in ("strength", "validation MSE", "active of 12", "dead units", "started anew"):
        assert column in printed[top]
    assert "loss recovered" not in printed[top]
    assert [line.split()[0] for line in printed[top + 2 : top + 5]] == ["JumpReLU", "L1", "KL"]
    assert any("A sigmoid is never 0: its mean activation" in line for line in printed)
    assert any("JumpReLU was told to leave 3 units active" in line for line in printed)
    assert (folder / "picture.png").read_bytes().startswith(b"\x89PNG")
    assert list(figures(folder)) == ["jumprelu", "l1", "kl"]
    assert json.loads((folder / "config.json").read_text())["units"] == 12
    report = (folder / "report.html").read_text()
    assert f"{figures(folder)['jumprelu']['active_units']:.1f} of 12 units explain" in report
    assert "table.npy" in report


def test_figures_are_those_of_the_networks_it_kept(tmp_path, data):
    assert run(*QUICK, "--data", data, "--runs", tmp_path / "runs", "--seed", 3) == 0
    folder = only_folder(tmp_path / "runs")
    table = np.load(data)
    order = np.random.default_rng(3).permutation(120)
    training, validation = table[order[24:]], table[order[:24]]
    low, high = training.min(0), training.max(0)
    x = torch.from_numpy((validation - low) / (high - low)).double()
    sae = rz.sae.load(folder / "jumprelu").double()
    weights = sae.state_dict()
    c, b = weights["scale"], weights["decoder.bias"]
    z = (c * x - b) @ weights["encoder.weight"].T + weights["encoder.bias"]
    code = torch.where(z > weights["coding.gate.threshold"], z, 0)
    error = (code @ weights["decoder.weight"].T + b) / c - x
    shown = figures(folder)["jumprelu"]
    assert shown["mse"] == pytest.approx(error.square().mean().item(), rel=1e-4)
    assert shown["active_units"] == pytest.approx((code > 0).sum(1).double().mean().item())
    spread = (x - x.mean(0)).square().sum()
    left = (error.square().sum() / spread).item()
    assert shown["explained_variance"] == pytest.approx(1 - left, rel=1e-4)
    assert shown["dead_units"] == int((code == 0).all(0).sum())
    assert shown["longest_column"] == pytest.approx(1, abs=1e-6)


def test_figures_of_a_sigmoid_by_hand(tmp_path):
    np.save(tmp_path / "x.npy", np.linspace(-1, 1, 20)[:, None].repeat(2, 1))
    samples = load(Config(data=tmp_path / "x.npy", batch_size=4))
    network = build("kl", 2, Config(units=2, active=1))
    with torch.no_grad():
        network.encoder.weight.copy_(torch.tensor([[8.0, 0.0], [0.0, 0.0]]))
        network.encoder.bias.copy_(torch.tensor([-4.0, 0.0]))
    happened = rz.sae.History(1)
    happened.add(1, loss=1, active=2, explained=0, strength=0.5, idle=0, revived=7)
    metrics = measure(network, samples, happened, None)
    z = 8 * samples.validation[:, 0] - 4
    y = 1 / (1 + torch.exp(-z))
    assert metrics.mean_activation == pytest.approx((y.mean().item() + 0.5) / 2)
    # a sigmoid has a tenth of its slope where y(1 - y) = 1/40, at ±3.637
    assert metrics.saturated == pytest.approx((z.abs() > 3.637).float().mean().item() / 2)
    assert (metrics.strength, metrics.revived, metrics.loss_recovered) == (0.5, 7, None)
    assert not metrics.is_sparse


def test_the_loss_that_is_recovered_is_that_of_a_linear_classifier():
    digits = load(Config())
    seen, unseen = digits.classes
    network = build("l1", 64, Config(units=70)).eval()
    fitted = LogisticRegression(max_iter=1000).fit(digits.training.numpy(), seen.numpy())

    def loss(x):
        chances = fitted.predict_proba(x.detach().numpy())
        return -np.log(chances[np.arange(len(unseen)), unseen.numpy()]).mean()

    x = digits.validation
    mean = x.mean(0).expand_as(x)
    expected = (loss(mean) - loss(network(x))) / (loss(mean) - loss(x))
    found = Classifier(digits).recovered(network).recovered_from_mean
    assert found == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("kind", ["jumprelu", "l1"])
def test_as_many_units_are_active_as_it_was_told(tmp_path, kind):
    config = Config(units=50, active=5.0, steps=1200)
    network, happened, said = train(kind, load(config), config, tmp_path)
    assert np.mean(happened.active[-20:]) == pytest.approx(5, rel=0.05)
    assert happened.strength[-1] > 0
    assert happened.explained[-1] > happened.explained[0]
    torch.testing.assert_close(network.decoder.weight.norm(dim=0), torch.ones(50))
    assert all("/activity/" in one for one in said)


def test_the_mean_activation_is_held_by_the_divergence(tmp_path):
    config = Config(units=20, active=2, steps=300, kl=20.0)
    samples = load(config)
    network, _, _ = train("kl", samples, config, tmp_path)
    mean = (network.encode(samples.training) * network.scale).mean()
    assert mean.item() == pytest.approx(0.1, rel=0.1)


def test_the_commands_know_the_architectures_of_the_library():
    assert get_args(Architecture) == get_args(Known)


@pytest.mark.parametrize("architecture", ["topk", "batchtopk", "gated", "l1"])
def test_every_architecture_runs_alone(tmp_path, data, architecture):
    alone = ["--beside", "--architecture", architecture, "--runs", tmp_path / "runs"]
    assert run(*QUICK, "--data", data, *alone) == 0
    assert list(figures(only_folder(tmp_path / "runs"))) == [architecture]
    assert rz.sae.load(only_folder(tmp_path / "runs") / architecture).units == 12


def test_a_folder_of_activations_is_read_and_its_last_rows_are_held_out(tmp_path, folder, table):
    samples = load(Config(data=folder, batch_size=32))
    rows = torch.from_numpy(table).float()
    assert samples.validation.equal(rows[96:])
    seen = torch.cat(list(samples.training))
    assert sorted(seen.tolist()) == sorted(rows[:96].tolist())
    assert run(*SMALL, "--data", folder, "--runs", tmp_path / "runs") == 0
    made = only_folder(tmp_path / "runs")
    expected = rz.sae.evaluate(rz.sae.load(made / "jumprelu"), rows[96:]).explained_variance
    assert figures(made)["jumprelu"]["explained_variance"] == pytest.approx(expected)


def test_another_folder_validates_and_is_noticed_where_it_changes(tmp_path, folder, table):
    alone = load(Config(data=folder, batch_size=32))
    others = [torch.from_numpy(table).float() + shift for shift in (1, 2)]
    digests = set()
    for i, rows in enumerate(others):
        stream = rz.sae.activations(nn.Identity(), "", rows.split(30))
        stream.store(tmp_path / f"validation-{i}")
        samples = load(Config(data=folder, validation=tmp_path / f"validation-{i}", batch_size=32))
        assert samples.training_samples == len(table)
        assert samples.validation.equal(rows)
        digests.add(samples.digest)
    assert len({*digests, alone.digest}) == 3


def test_one_of_several_sites_is_chosen(tmp_path, sites, table, capsys):
    rows = torch.from_numpy(table).float()
    samples = load(Config(data=sites, site="1", batch_size=32))
    assert samples.validation.equal(2 * rows[96:])
    assert run(*SMALL, "--data", sites, "--runs", tmp_path / "runs") == 2
    assert "site: expected one of 0, 1, got None" in capsys.readouterr().err
    alone = ["--beside", "--site", "1", "--runs", tmp_path / "runs"]
    assert run(*SMALL, "--data", sites, *alone) == 0


def test_the_same_seed_gives_the_same_figures_and_another_seed_others(tmp_path, data):
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        assert run(*QUICK, "--data", data, "--runs", tmp_path / name, "--seed", seed) == 0
    a, b, c = (figures(only_folder(tmp_path / name)) for name in "abc")
    assert a == b
    assert a != c


def test_networks_are_made_on_one_thread(tmp_path, data, monkeypatch):
    # several would round the first weights otherwise, and training makes much of it
    threads: list[int] = []

    def noting(*arguments):
        threads.append(torch.get_num_threads())
        return train(*arguments)

    monkeypatch.setattr(_command, "train", noting)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert run(*QUICK, "--data", data, "--runs", tmp_path / "runs") == 0
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert threads == [1, 1, 1]


def test_an_interrupted_run_goes_on_and_ends_with_the_same_figures(tmp_path, data):
    long = [*LONG, "--data", str(data)]
    assert run(*long, "--runs", tmp_path / "whole") == 0
    folder = interrupted(long, tmp_path / "cut", after_line("L1: step 300"))
    assert list(json.loads((folder / "training.json").read_text())) == ["jumprelu"]
    assert run("sparse-autoencoder", "--resume", folder) == 0
    whole = only_folder(tmp_path / "whole")
    for name in ("metrics.json", "training.json", "report.html"):
        assert (folder / name).read_text() == (whole / name).read_text()
    assert (folder / "picture.png").is_file()


def test_a_finished_run_resumed_trains_nothing_again(tmp_path, data):
    assert run(*QUICK, "--data", data, "--runs", tmp_path / "runs") == 0
    folder = only_folder(tmp_path / "runs")
    before = figures(folder)
    begin = time.perf_counter()
    assert run("sparse-autoencoder", "--resume", folder) == 0
    assert figures(folder) == before
    assert time.perf_counter() - begin < 60


def test_two_processes_write_one_run(tmp_path, data):
    command = [sys.executable, "-m", "regularizers", *QUICK, "--data", str(data), "--devices", "2"]
    process = subprocess.run(
        [*command, "--runs", str(tmp_path / "runs")],
        capture_output=True,
        text=True,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": ""},
        check=False,
    )
    assert process.returncode == 0, process.stderr
    assert process.stdout.count("samples for training") == 1
    assert process.stdout.count("The report (report.html)") == 1
    assert run(*QUICK, "--data", data, "--runs", tmp_path / "one") == 0
    several, one = figures(only_folder(tmp_path / "runs")), figures(only_folder(tmp_path / "one"))
    for kind in one:
        # sums in another order round otherwise, and a threshold makes much of it
        for name in ("explained_variance", "active_units", "strength"):
            assert several[kind][name] == pytest.approx(one[kind][name], rel=0.02), (kind, name)


REFUSED = {
    "no active units": (
        ["--active", "0"],
        "active: expected more than 0 and less than --units 100",
    ),
    "more active than there are": (
        ["--active", "13", "--units", "12"],
        "active: expected more than 0 and less than --units 12, got 13",
    ),
    "NaN active units": (["--active", "nan"], "active: expected more than 0 .* got nan"),
    "NaN strength": (["--kl", "nan"], "kl: expected a finite number"),
    "target": (["--target", "1.5"], "target: expected a number between"),
    "units": (["--units", "0"], "units: expected 1 or more, got 0"),
    "devices": (["--devices", "0"], "devices: expected 1 or more, got 0"),
    "a site of no folder": (["--site", "mlp"], "site: expected nothing, as --data is no folder"),
    "missing data": (["--data", "gone.npy"], "gone.npy: expected a data file, found nothing"),
    "a folder without activations": (["--data", "."], "expected a folder of stored activations"),
    "no run folder": (["--resume", "gone"], "resume: expected the folder of an earlier run"),
    "no room": (["--validation", "0.9999"], "validation: expected to leave a batch of 64 samples"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_bad_input_is_one_message_without_a_traceback_and_status_2(
    case, tmp_path, capsys, monkeypatch
):
    arguments, message = REFUSED[case]
    monkeypatch.chdir(tmp_path)
    assert_refused(["sparse-autoencoder", *arguments], message, capsys)


def test_a_training_that_diverges_is_refused(tmp_path, data, capsys):
    assert run(*QUICK, "--data", data, "--runs", tmp_path, "--learning-rate", "1e20") == 2
    err = capsys.readouterr().err
    assert "learning rate" in err or "learning-rate" in err
    assert len(err.strip().splitlines()) == 1


def test_a_run_folder_that_cannot_be_made_is_refused(tmp_path, data, capsys):
    (tmp_path / "file").write_text("in the way")
    assert run(*QUICK, "--data", data, "--runs", tmp_path / "file") == 2
    assert "runs: expected a folder that can be written" in capsys.readouterr().err


def test_resuming_with_other_settings_or_other_data_is_refused(tmp_path, data, capsys):
    assert run(*QUICK, "--data", data, "--runs", tmp_path / "runs") == 0
    folder = only_folder(tmp_path / "runs")
    assert run("sparse-autoencoder", "--resume", folder, "--units", 50) == 2
    assert "resume: expected no other setting" in capsys.readouterr().err
    np.save(data, np.random.default_rng(1).random((120, 9)))
    assert run("sparse-autoencoder", "--resume", folder) == 2
    assert "is not the data this run began with" in capsys.readouterr().err


def test_activations_of_a_sigmoid_are_those_of_the_sigmoid_whatever_the_scale_of_the_samples():
    config, seen = Config(units=6, active=2), []
    for kind in ("kl", "jumprelu"):
        network = build(kind, 5, config)
        network.scale.fill_(0.02)  # as of samples that are 50 times as large
        network.coding.register_forward_hook(lambda module, inputs, output: seen.append(output))
        code = network.encode(torch.randn(40, 5, generator=torch.manual_seed(0)) * 50)
        expected = seen.pop() if kind == "kl" else code
        torch.testing.assert_close(activations_of(network, code), expected)
    assert code.max() > 1
