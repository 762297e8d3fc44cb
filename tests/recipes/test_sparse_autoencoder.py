"""The sparse autoencoder from the command line: what it shows, keeps, repeats and refuses."""

import json
import time

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from recipes.commands import after_line, assert_refused, figures, interrupted, only_folder, run

# a recipe's parts are private; each is tested without the training around it
from regularizers.recipes._tables import load_digits
from regularizers.recipes.sparse_autoencoder import Config, _command
from regularizers.recipes.sparse_autoencoder._history import History
from regularizers.recipes.sparse_autoencoder._metrics import measure
from regularizers.recipes.sparse_autoencoder._network import Autoencoder
from regularizers.recipes.sparse_autoencoder._training import train
from regularizers.recipes.sparse_autoencoder._variants import variants_of

QUICK = ["sparse-autoencoder", "--units", "12", "--active", "3", "--epochs", "4"]
# a strength and a learning rate that leave few units alive
DYING = [
    *("sparse-autoencoder", "--units", "12", "--epochs", "150", "--l1", "0.2"),
    *("--learning-rate", "0.01"),
]


@pytest.fixture
def data(tmp_path):
    """Two blobs along different axes: enough for networks to have something to learn."""
    rng = np.random.default_rng(0)
    table = rng.random((120, 9)) * np.repeat([[1] * 4 + [0] * 5, [0] * 4 + [1] * 5], 60, axis=0)
    np.save(tmp_path / "table.npy", table)
    return tmp_path / "table.npy"


def history(folder, name):
    return json.loads((folder / "training.json").read_text())[name]


def test_it_ends_with_a_table_and_a_folder_named_in_the_last_line(tmp_path, data, capsys):
    assert run(*QUICK, "--data", data, "--runs", tmp_path / "runs") == 0
    folder = only_folder(tmp_path / "runs")
    printed = capsys.readouterr().out.strip().splitlines()
    assert printed[-1].endswith(str(folder))
    (top,) = (i for i, line in enumerate(printed) if line.startswith("penalty"))
    for column in ("strength", "validation MSE", "active of 12", "dead units", "revived"):
        assert column in printed[top]
    assert [line.split()[0] for line in printed[top + 2 : top + 5]] == ["none", "L1", "KL"]
    assert any("sigmoid" in line and "mean activation is the measure" in line for line in printed)
    assert any("L1 was told to leave 3 units active" in line for line in printed)
    assert (folder / "picture.png").read_bytes().startswith(b"\x89PNG")
    assert list(figures(folder)) == ["none", "L1", "KL"]
    assert json.loads((folder / "config.json").read_text())["units"] == 12
    report = (folder / "report.html").read_text()
    assert f"{figures(folder)['L1']['active_units']:.1f} of 12 units explain" in report
    assert "table.npy" in report


def test_figures_are_those_of_the_networks_it_kept(tmp_path, data):
    assert run(*QUICK, "--data", data, "--runs", tmp_path / "runs", "--seed", 3) == 0
    folder = only_folder(tmp_path / "runs")
    table = np.load(data).astype(np.float32)
    order = np.random.default_rng(3).permutation(120)
    training, validation = table[order[24:]], table[order[:24]]
    low, high = training.min(0), training.max(0)
    x = (validation - low) / (high - low)
    weights = {k: v.numpy() for k, v in load_file(folder / "l1.safetensors").items()}
    coding = np.maximum(x @ weights["encoder.weight"].T + weights["encoder.bias"], 0)
    output = coding @ weights["decoder.weight"].T + weights["decoder.bias"]
    shown = figures(folder)["L1"]
    assert shown["mse"] == pytest.approx(((output - x) ** 2).mean(), rel=1e-4)
    assert shown["mean_activation"] == pytest.approx(coding.mean(), rel=1e-4)
    assert shown["active_units"] == pytest.approx((coding > 0).sum(1).mean(), abs=0.1)
    assert shown["explained_variance"] == pytest.approx(
        1 - (output - x).var(0).sum() / x.var(0).sum(), rel=1e-4
    )


def test_figures_by_hand():
    network = Autoencoder(torch.zeros(2), 3, torch.nn.ReLU())
    with torch.no_grad():
        network.encoder.weight.copy_(torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0]]))
        network.encoder.bias.zero_()
        network.decoder.weight.copy_(torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.5, 0.0]]))
        network.decoder.bias.zero_()
    validation = torch.tensor([[1.0, 0.0], [2.0, 4.0]])
    training = torch.tensor([[-1.0, -2.0], [3.0, 3.0], [1.0, -5.0]])
    happened = History(every=1, last_strength=0.25, revived=7)
    metrics = measure(network, validation, training, happened)
    # codings [1, 0, 0] and [2, 4, 0]; reconstructions [1, 0] and [2, 2]; residuals [0, 0], [0, 2]
    assert metrics.mse == pytest.approx(4 / 4)
    assert metrics.explained_variance == pytest.approx(1 - 2 / 8.5)
    assert metrics.mean_activation == pytest.approx(7 / 6)
    assert metrics.active_units == pytest.approx(1.5)
    # codings [0, 0, 3], [3, 3, 0] and [1, 0, 4]
    assert metrics.active_in_training == pytest.approx(5 / 3)
    assert (metrics.dead_units, metrics.revived, metrics.strength) == (1, 7, 0.25)
    assert metrics.is_sparse


def test_saturation_by_hand():
    network = Autoencoder(torch.zeros(1), 1, torch.nn.Sigmoid())
    with torch.no_grad():
        network.encoder.weight.fill_(1)
        network.encoder.bias.zero_()
    # a sigmoid has a tenth of its slope where y(1 - y) = 1/40, at ±3.637
    x = torch.tensor([[-3.7], [-3.6], [0.0], [3.6], [3.7]])
    metrics = measure(network, x, x, History(every=1))
    assert metrics.saturated == pytest.approx(2 / 5)
    assert not metrics.is_sparse


def trained_with_l1(tmp_path, x, **settings) -> History:
    config = Config(**settings)
    (variant,) = (variant for variant in variants_of(config) if variant.name == "L1")
    x = torch.from_numpy(x).float()
    torch.manual_seed(0)
    network = Autoencoder(x.mean(dim=0), config.units, variant.coding())
    return train(network, variant, x, config, tmp_path / "l1.ckpt")


def test_l1_leaves_as_many_units_active_as_it_was_told(tmp_path):
    settings = {"units": 50, "active": 5.0, "epochs": 80, "learning_rate": 5e-3}
    happened = trained_with_l1(tmp_path, load_digits().x[:320] / 16, **settings)
    assert happened.step == list(range(4, 801, 4))
    assert np.mean(happened.active[-20:]) == pytest.approx(5, rel=0.05)
    assert happened.last_strength == happened.strength[-1] > 0
    assert len(set(happened.strength)) > 100
    assert happened.error[-1] < happened.error[0]


def test_a_strength_of_l1_that_is_given_stays(tmp_path, data):
    run_of = ["sparse-autoencoder", "--units", 12, "--epochs", 4, "--data", data]
    assert run(*run_of, "--l1", 2e-3, "--runs", tmp_path / "runs") == 0
    folder = only_folder(tmp_path / "runs")
    assert set(history(folder, "L1")["strength"]) == {2e-3}
    assert set(history(folder, "none")["strength"]) == {0}
    assert "The strength of L1 was given" in (folder / "report.html").read_text()


@pytest.mark.parametrize("revive", ["resample", "auxiliary", "none"])
def test_silent_units_come_back_if_they_are_revived(tmp_path, data, revive):
    settings = {"units": 12, "epochs": 150, "l1": 0.2, "learning_rate": 0.01, "revive": revive}
    happened = trained_with_l1(tmp_path, np.load(data)[:96], **settings)
    assert max(happened.dead) > 0
    assert (happened.revived > 0) == (revive != "none")


def test_the_same_seed_gives_the_same_figures_and_another_seed_others(tmp_path, data):
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        assert run(*QUICK, "--data", data, "--runs", tmp_path / name, "--seed", seed) == 0
    a, b, c = (figures(only_folder(tmp_path / name)) for name in "abc")
    assert a == b
    assert a != c


def test_networks_are_made_on_one_thread(tmp_path, data, monkeypatch):
    # several would round the first weights otherwise, and training makes much of it
    class Noting(Autoencoder):
        def __init__(self, *arguments) -> None:
            threads.append(torch.get_num_threads())
            super().__init__(*arguments)

    threads: list[int] = []
    monkeypatch.setattr(_command, "Autoencoder", Noting)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert run(*QUICK, "--data", data, "--runs", tmp_path / "runs") == 0
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert threads == [1, 1, 1]


def test_an_interrupted_run_goes_on_and_ends_with_the_same_figures(tmp_path, data):
    long = [*DYING, "--data", str(data)]
    assert run(*long, "--runs", tmp_path / "whole") == 0
    folder = interrupted(long, tmp_path / "cut", after_line("L1: epoch 30"))
    assert list(figures(folder)) == ["none"]
    assert run("sparse-autoencoder", "--resume", folder) == 0
    whole = only_folder(tmp_path / "whole")
    assert figures(whole)["L1"]["revived"] > 0
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


REFUSED = {
    "no active units": (["--active", "0"], "active: expected more than 0 and at most --units 100"),
    "more active than there are": (
        ["--active", "13", "--units", "12"],
        "active: expected more than 0 and at most --units 12, got 13",
    ),
    "NaN active units": (["--active", "nan"], "active: expected more than 0 .* got nan"),
    "a target and a strength": (
        ["--active", "10", "--l1", "5e-3"],
        "active: expected nothing beside --l1, since a strength is either given or found, got 10",
    ),
    "negative strength": (["--l1", "-1"], "l1: expected a finite number"),
    "NaN strength": (["--kl", "nan"], "kl: expected a finite number"),
    "target": (["--target", "1.5"], "target: expected a number between"),
    "units": (["--units", "0"], "units: expected 1 or more, got 0"),
    "missing data": (["--data", "gone.npy"], "gone.npy: expected a data file, found nothing"),
    "no run folder": (["--resume", "gone"], "resume: expected the folder of an earlier run"),
    "no room": (["--validation", "0.9999"], "validation: expected to leave samples for training"),
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
    assert "learning-rate: expected one at which 'none' trains" in capsys.readouterr().err


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
