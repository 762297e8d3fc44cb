"""The classifier from the command line: what it shows, keeps, repeats and refuses."""

import csv
import json
import re
import signal
import statistics
import time
from collections import Counter

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from recipes.commands import assert_refused, figures, interrupted, only_folder, run

# a recipe's parts are private; each is tested without the training around it
from regularizers.recipes._batches import Batches
from regularizers.recipes.classifier import Config
from regularizers.recipes.classifier._data import Data
from regularizers.recipes.classifier._methods import methods_of
from regularizers.recipes.classifier._metrics import measure
from regularizers.recipes.classifier._networks import conv, mlp
from regularizers.recipes.classifier._parts import Part, Parts, parts, stratified_order
from regularizers.recipes.classifier._training import rate_at, train
from regularizers.recipes.data import load_with_target

QUICK = ["classifier", "--units", "8", "--epochs", "2", "--seeds", "2"]
METHODS = [
    *("none", "weight decay", "L1 kernels", "dropout", "batch norm", "L1 activity"),
    "all together",
]


@pytest.fixture
def data(tmp_path):
    """Three blobs of 30 in five columns: `kind` is the class."""
    rng = np.random.default_rng(0)
    lines = ["a,b,c,d,kind"]
    for i in range(90):
        x = rng.normal(size=4) + 2 * np.eye(4)[i % 3]
        lines.append(",".join(f"{v:.6f}" for v in x) + f",{'uvw'[i % 3]}")
    (tmp_path / "blobs.csv").write_text("\n".join(lines) + "\n")
    return tmp_path / "blobs.csv"


def quick(data, parent, *more) -> int:
    return run(*QUICK, "--data", data, "--target", "kind", "--runs", parent, *more)


def test_it_ends_with_a_table_and_a_folder_named_in_the_last_line(tmp_path, data, capsys):
    assert quick(data, tmp_path / "runs") == 0
    folder = only_folder(tmp_path / "runs")
    printed = capsys.readouterr().out.strip().splitlines()
    assert printed[-1].endswith(str(folder))
    assert printed[0].startswith(
        "blobs.csv: 63 samples for training, 27 for validation, 4 features"
    )
    header = next(i for i, line in enumerate(printed) if line.startswith("method"))
    assert re.split(r"\s{2,}", printed[header]) == [
        *("method", "train %", "validation %", "balanced %", "gap", "zeros %", "mean activation")
    ]
    rows = [re.split(r"\s{2,}", line) for line in printed[header + 2 :][: len(METHODS)]]
    assert [row[0] for row in rows] == METHODS
    kept = figures(folder)
    assert list(kept) == METHODS
    for name, *cells in rows:
        shown = [100 * m["validation_accuracy"] for m in kept[name].values()]
        mean, deviation = statistics.mean(shown), statistics.stdev(shown)
        assert cells[1] == f"{mean:.2f} ± {deviation:.2f}"
    assert (folder / "picture.png").read_bytes().startswith(b"\x89PNG")
    assert json.loads((folder / "config.json").read_text())["units"] == 8
    with (folder / "confusion.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["method"], row["class"]) for row in rows] == [
        (name, label) for name in METHODS for label in "uvw"
    ]
    for row in rows:
        of_class = [of["confusion"][row["class"]] for of in kept[row["method"]].values()]
        for found in "uvw":
            assert int(row[found]) == sum(seed.get(found, 0) for seed in of_class)
    assert len(list((folder / "networks").iterdir())) == 2 * len(METHODS)
    assert list((folder / "checkpoints").iterdir()) == []
    assert sum(line.startswith("seed 1, ") for line in printed) == len(METHODS)


def test_one_seed_has_no_deviation(tmp_path, data, capsys):
    assert quick(data, tmp_path / "runs", "--seeds", 1) == 0
    printed = capsys.readouterr().out
    assert "±" not in printed
    assert "standard deviation" not in printed
    assert "1 seed\n" in printed


def test_figures_are_those_of_the_networks_it_kept(tmp_path, data):
    assert quick(data, tmp_path / "runs", "--seed", 3, "--train", 40, "--l1", 0.02) == 0
    folder = only_folder(tmp_path / "runs")
    table = np.genfromtxt(data, delimiter=",", skip_header=1, dtype=str)
    x, y = table[:, :4].astype(float), np.searchsorted(["u", "v", "w"], table[:, 4])
    order = stratified_order(y, 3)
    validation, rest = order[:27], order[27:]
    training = rest[stratified_order(y[rest], 4)[:40]]
    x = (x - x[training].mean(0)) / x[training].std(0)
    saved = load_file(folder / "networks/l1-kernels-4.safetensors").items()
    w = {k.removeprefix("network."): v.numpy() for k, v in saved}
    first = np.maximum(x @ w["0.weight"].T + w["0.bias"], 0)
    second = np.maximum(first @ w["2.weight"].T + w["2.bias"], 0)
    right = (second @ w["4.weight"].T + w["4.bias"]).argmax(1) == y
    shown = figures(folder)["L1 kernels"]["4"]
    taken = (second @ w["4.weight"].T + w["4.bias"]).argmax(1)[validation]
    of_classes = [(taken[y[validation] == label] == label).mean() for label in range(3)]
    assert shown["balanced_accuracy"] == pytest.approx(np.mean(of_classes))
    majority = np.bincount(y[training]).argmax()
    assert shown["majority_accuracy"] == pytest.approx((y[validation] == majority).mean())
    counts = {"uvw"[i]: Counter("uvw"[j] for j in taken[y[validation] == i]) for i in range(3)}
    assert shown["confusion"] == counts
    assert shown["test_accuracy"] is None
    assert shown["train_accuracy"] == pytest.approx(right[training].mean())
    assert shown["validation_accuracy"] == pytest.approx(right[validation].mean())
    hidden = np.hstack([first, second])[validation]
    assert shown["mean_activation"] == pytest.approx(hidden.mean(), rel=1e-4)
    kernels = np.concatenate([w[f"{i}.weight"].ravel() for i in (0, 2, 4)])
    assert shown["zeros"] == (kernels == 0).mean() > 0
    assert figures(folder)["none"]["4"]["zeros"] == 0


def made_up(training, validation):
    """Parts of which the scaling and the columns are of no matter."""
    return Parts(training, validation, scaling=None, samples=None, classes=("n", "y"))


def test_figures_by_hand():
    network = nn.Sequential(
        nn.Linear(2, 2), nn.BatchNorm1d(2, eps=0), nn.ReLU(), nn.Dropout(0.9), nn.Linear(2, 2)
    )
    with torch.no_grad():
        network[0].weight.copy_(torch.tensor([[1.0, 0.0], [0.0, 1.0]]))
        network[0].bias.zero_()
        network[4].weight.copy_(torch.tensor([[1.0, 0.0], [-0.0, 1.0]]))
        network[4].bias.zero_()
    x = torch.tensor([[1.0, 2.0], [3.0, -1.0], [0.0, 4.0], [5.0, 1.0]])
    training = Part(x[:2], torch.tensor([1, 1]))
    validation = Part(x, torch.tensor([1, 0, 1, 1]))
    network.train()
    metrics = measure(network, made_up(training, validation))
    # hidden units [1, 2], [3, 0], [0, 4], [5, 1]; classes 1, 0, 1, 0
    assert metrics.train_accuracy == 0.5
    assert metrics.validation_accuracy == 0.75
    assert metrics.balanced_accuracy == (1 + 2 / 3) / 2
    assert metrics.majority_accuracy == 0.75
    assert metrics.confusion == {"n": {"n": 1}, "y": {"n": 1, "y": 2}}
    assert metrics.gap == -0.25
    assert metrics.zeros == 4 / 8
    assert metrics.mean_activation == 2.0
    assert not any(module._forward_hooks for module in network.modules())


def test_every_beginning_of_a_stratified_order_has_its_share_of_each_class():
    y = np.repeat([0, 1, 2], [60, 30, 10])
    order = stratified_order(y, 0)
    assert sorted(order) == list(range(100))
    for n in range(1, 101):
        counts = np.bincount(y[order[:n]], minlength=3)
        assert (np.abs(counts - n * np.array([0.6, 0.3, 0.1])) < 1.5).all()
    assert (stratified_order(y, 0) == order).all()
    assert (stratified_order(y, 1) != order).any()


def test_validation_is_the_same_for_all_seeds_and_training_samples_are_drawn(data):
    labelled = load_with_target(data, "kind")
    # not scaled, so that rows can be told by their values
    config = Config(train=30, scale="none")
    drawn = [parts(Data(labelled), config, seed) for seed in (0, 1)]
    rows = [{tuple(x.tolist()) for x in of_seed.training.x} for of_seed in drawn]
    held_out = [{tuple(x.tolist()) for x in of_seed.validation.x} for of_seed in drawn]
    assert held_out[0] == held_out[1]
    assert len(held_out[0]) == 27
    assert rows[0] != rows[1]
    for of_seed in drawn:
        assert torch.bincount(of_seed.training.y).tolist() == [10, 10, 10]
    assert not (rows[0] | rows[1]) & held_out[0]


def test_columns_are_scaled_by_what_the_training_part_shows(data):
    labelled = load_with_target(data, "kind")
    x = parts(Data(labelled), Config(train=30), 0).training.x
    torch.testing.assert_close(x.mean(dim=0), torch.zeros(4), atol=1e-5, rtol=0)
    torch.testing.assert_close(x.std(dim=0, correction=0), torch.ones(4))


def test_a_column_constant_in_the_training_part_is_left_out_and_named(tmp_path, data, capsys):
    rows = [line.split(",") for line in data.read_text().splitlines()]
    y = np.array(["uvw".index(row[4]) for row in rows[1:]])
    held_out = set((stratified_order(y, 0)[:27] + 1).tolist())
    for i, row in enumerate(rows[1:], 1):
        row[2] = str(1e6 * i) if i in held_out else "7"
    data.write_text("\n".join(map(",".join, rows)))
    assert quick(data, tmp_path / "runs", "--seeds", 1) == 0
    printed = capsys.readouterr().out
    assert "column 'c' is left out: the same in all samples for training" in printed
    assert "3 features" in printed
    assert figures(only_folder(tmp_path / "runs"))["none"]["0"]["mean_activation"] < 10


def test_methods_begin_with_the_same_weights():
    for build in (lambda **o: mlp(9, 5, 3, **o), lambda **o: conv((9, 8), 3, **o)):
        networks = []
        for options in ({}, {"dropout": 0.5, "batch_norm": True}):
            torch.manual_seed(0)
            networks.append(build(**options))
        plain, full = (
            [m for m in network if isinstance(m, nn.Linear | nn.Conv2d)] for network in networks
        )
        assert len(plain) == 3
        for one, other in zip(plain, full, strict=True):
            assert torch.equal(one.weight, other.weight)
            assert torch.equal(one.bias, other.bias)


@pytest.mark.parametrize("options", [{}, {"dropout": 0.5, "batch_norm": True}])
def test_networks_give_a_number_for_each_class(options):
    assert mlp(9, 5, 3, **options)(torch.rand(4, 9)).shape == (4, 3)
    assert conv((9, 8), 3, **options)(torch.rand(4, 72)).shape == (4, 3)


def trained(method_name, config, part, tmp_path):
    method = next(m for m in methods_of(config) if m.name == method_name)
    torch.manual_seed(0)
    network = mlp(4, 6, 3)
    train(network, method, part, config, 5, tmp_path / method.file_name / "x.ckpt")
    return network


def by_hand(config, part, *, weight_decay=0.0, l1=0.0):
    """The same training, written out with PyTorch alone; biases do not decay."""
    torch.manual_seed(0)
    network = mlp(4, 6, 3)
    kernels = [p for p in network.parameters() if p.ndim == 2]
    biases = [p for p in network.parameters() if p.ndim == 1]
    groups = [{"params": kernels, "weight_decay": weight_decay}, {"params": biases}]
    optimizer = torch.optim.SGD(groups, config.learning_rate, momentum=0.9)
    order = [
        batch
        for epoch in range(config.epochs)
        for batch in Batches(part.x, part.y, batch_size=config.batch_size, seed=5, epoch=epoch)
    ]
    assert len(order) == 12
    rates = [1.0, 1.0] + [(1 + np.cos(np.pi * k / 11)) / 2 for k in range(1, 11)]
    for step, (x, y) in enumerate(order):
        rate = config.learning_rate * rates[step]
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.zero_grad()
        nn.functional.cross_entropy(network(x), y).backward()
        optimizer.step()
        with torch.no_grad():
            for w in kernels:
                w.copy_(w.sign() * (w.abs() - rate * l1 / (1 - 0.9)).clamp_min(0))
    return network


@pytest.mark.parametrize(
    ("name", "what"),
    [("none", {}), ("weight decay", {"weight_decay": 0.05}), ("L1 kernels", {"l1": 0.01})],
)
def test_kernel_methods_are_what_pytorch_does_by_hand(name, what, tmp_path, data):
    config = Config(epochs=3, batch_size=16, weight_decay=0.05, l1=0.01)
    part = parts(Data(load_with_target(data, "kind")), config, 0).training
    one = trained(name, config, part, tmp_path)
    other = by_hand(config, part, **what)
    for p, q in zip(one.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=1e-4, atol=1e-6)
    zeros = sum(int((p == 0).sum()) for p in one.parameters())
    assert (zeros > 0) == (name == "L1 kernels")


def test_the_rate_rises_over_a_tenth_and_falls_to_zero():
    rates = [rate_at(step, 100) for step in range(101)]
    assert rates[:11] == pytest.approx([*[k / 10 for k in range(1, 11)], 1])
    assert rates[55] == pytest.approx(0.5)
    assert rates[100] == pytest.approx(0)
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert [rate_at(step, 1) for step in (0, 1)] == [1, 0]


def test_an_activity_penalty_makes_activations_smaller(tmp_path, data):
    config = Config(epochs=10, activity=0.5)
    both = parts(Data(load_with_target(data, "kind")), config, 0)
    names = ("none", "L1 activity")
    plain, small = (trained(name, config, both.training, tmp_path) for name in names)
    assert measure(small, both).mean_activation < measure(plain, both).mean_activation


def test_threads_and_handlers_are_as_they_were(tmp_path, data):
    threads, handler = torch.get_num_threads(), signal.getsignal(signal.SIGINT)
    torch.set_num_threads(2)
    try:
        assert quick(data, tmp_path / "runs", "--seeds", 1) == 0
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)
    assert signal.getsignal(signal.SIGINT) is handler


def test_the_same_seed_gives_the_same_figures_and_another_seed_others(tmp_path, data):
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        assert quick(data, tmp_path / name, "--seed", seed) == 0
    a, b, c = (figures(only_folder(tmp_path / name)) for name in "abc")
    assert a == b
    assert a != c


def test_an_interrupted_run_goes_on_and_ends_with_the_same_figures(tmp_path, data):
    long = ["classifier", "--units", "8", "--epochs", "40", "--seeds", "1", "--data", str(data)]
    long += ["--target", "kind"]
    assert run(*long, "--runs", tmp_path / "whole") == 0
    # the second, with dropout in it, has a state of its own noise to repeat
    checkpoint = "checkpoints/dropout-0.ckpt"

    def wait(process):
        while not list(tmp_path.glob(f"cut/*/{checkpoint}")):
            assert process.poll() is None
            time.sleep(0.002)

    folder = interrupted(long, tmp_path / "cut", wait)
    assert list(figures(folder)) == ["none", "weight decay", "L1 kernels"]
    assert (folder / checkpoint).is_file()
    assert run("classifier", "--resume", folder) == 0
    assert figures(folder) == figures(only_folder(tmp_path / "whole"))
    assert (folder / "picture.png").is_file()


def test_a_run_cut_short_anywhere_goes_on_from_what_is_missing(tmp_path, data, capsys):
    assert quick(data, tmp_path / "runs") == 0
    folder = only_folder(tmp_path / "runs")
    whole = figures(folder)
    cut = {name: dict(seeds) for name, seeds in whole.items()}
    del cut["batch norm"]["1"], cut["none"]["0"]
    (folder / "metrics.json").write_text(json.dumps(cut))
    capsys.readouterr()
    assert run("classifier", "--resume", folder) == 0
    trained = re.findall(r"^seed .*(?=: train)", capsys.readouterr().out, re.MULTILINE)
    assert trained == ["seed 0, none", "seed 1, batch norm"]
    assert figures(folder) == whole


def test_pictures_train_a_convolutional_network(tmp_path, capsys):
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 60, (40, 6, 6), dtype=np.uint8)
    labels = np.arange(40) % 2
    pictures[labels == 1, :3] += 150
    np.save(tmp_path / "x.npy", pictures)
    np.save(tmp_path / "y.npy", labels)
    pair = ["--data", tmp_path / "x.npy", "--labels", tmp_path / "y.npy"]
    assert run(*QUICK, *pair, "--network", "conv", "--runs", tmp_path / "runs") == 0
    assert "36 features, 2 classes; conv" in capsys.readouterr().out
    weights = load_file(only_folder(tmp_path / "runs") / "networks/all-together-1.safetensors")
    assert {tuple(w.shape) for w in weights.values() if w.ndim == 4} == {
        *((16, 1, 3, 3), (32, 16, 3, 3))
    }


def test_a_training_part_that_leaves_one_sample_over_trains(tmp_path, data):
    assert quick(data, tmp_path / "runs", "--train", 33, "--seeds", 1) == 0


REFUSED = {
    "strength": (["--l1", "-1"], "l1: expected a finite number"),
    "decay": (["--weight-decay", "nan"], "weight-decay: expected a finite number"),
    "dropout": (["--dropout", "1"], "dropout: expected 0 or more, and less than 1, got 1"),
    "units": (["--units", "0"], "units: expected 1 or more, got 0"),
    "seeds": (["--seeds", "0"], "seeds: expected 1 or more, got 0"),
    "batch": (["--batch-size", "1"], "batch-size: expected 2 or more, got 1"),
    "rate": (["--learning-rate", "0"], "learning-rate: expected positive and finite, got 0"),
    "validation": (["--validation", "1"], "validation: expected between 0 and 1, or a file, got 1"),
    "two places of classes": (
        ["--data", "x.csv", "--target", "kind", "--labels", "y.npy"],
        "data: expected --target COLUMN of a table or --labels FILE with it, got both",
    ),
    "group and time": (
        ["--data", "x.csv", "--target", "k", "--group", "a", "--time", "b"],
        "group: expected --group a or --time b, got both",
    ),
    "a split of a file": (
        ["--data", "x.csv", "--target", "k", "--group", "a", "--validation", "v.csv"],
        "group: expected a fraction for --validation with it, got the file v.csv",
    ),
    "group of no table": (["--group", "a"], "group: expected --data FILE with it, got none"),
    "test of no data": (["--test", "t.csv"], "test: expected --data FILE with it, got none"),
    "a file for the digits": (["--validation", "v.csv"], "validation: expected a fraction, or"),
    "group of the target": (
        ["--data", "x.csv", "--target", "k", "--group", "k"],
        "group: expected another column than the target, got k",
    ),
    "labels of a fraction": (
        ["--data", "x.npy", "--labels", "y.npy", "--validation-labels", "v.npy"],
        "validation-labels: expected a file for --validation with it, got none",
    ),
    "no data": (["--target", "kind"], "target: expected --data FILE with it, got none"),
    "labels alone": (["--labels", "y.npy"], "labels: expected --data FILE with it, got none"),
    "missing data": (
        ["--data", "gone.csv", "--target", "kind"],
        "gone.csv: expected a data file, found nothing",
    ),
    "too many": (["--train", "1500"], "train: .* at most the 1258 that --validation 0.3 leaves"),
    "too few": (["--train", "9"], "train: expected 10 samples or more, one for each class"),
    "no room": (["--validation", "0.9999"], "train: .* at most the 0 that --validation 0.9999"),
    "no run folder": (["--resume", "gone"], "resume: expected the folder of an earlier run"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_bad_input_is_one_message_without_a_traceback_and_status_2(
    case, tmp_path, capsys, monkeypatch
):
    arguments, message = REFUSED[case]
    monkeypatch.chdir(tmp_path)
    assert_refused(["classifier", *arguments], message, capsys)


def test_a_network_that_diverges_says_so(tmp_path, data, capsys):
    assert quick(data, tmp_path / "runs", "--learning-rate", 1e30) == 2
    assert "learning-rate: expected one at which 'none' of seed 0 trains, got 1e+30" in (
        capsys.readouterr().err
    )


def test_a_convolutional_network_of_a_table_is_refused(tmp_path, data, capsys):
    assert quick(data, tmp_path / "runs", "--network", "conv") == 2
    assert "network: expected pictures of 4x4 or more for 'conv', got rows of a table" in (
        capsys.readouterr().err
    )
    assert not (tmp_path / "runs").exists()


def test_resuming_with_other_settings_or_other_data_is_refused(tmp_path, data, capsys):
    assert quick(data, tmp_path / "runs", "--seeds", 1) == 0
    folder = only_folder(tmp_path / "runs")
    assert run("classifier", "--resume", folder, "--units", 5, "--seeds", 2) == 2
    assert (
        "resume: expected no other setting, since the run knows its own, got --units, --seeds"
        in (capsys.readouterr().err)
    )
    data.write_text(data.read_text().replace("v\n", "u\n"))
    assert run("classifier", "--resume", folder) == 2
    assert "is not the data this run began with" in capsys.readouterr().err
