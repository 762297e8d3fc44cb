"""The classifier's search: what it may see, what it leaves, and what it refuses."""

import dataclasses
import json
import re
import shlex

import numpy as np
import pytest

import regularizers as rz
from recipes.commands import assert_refused, figures, only_folder, run
from regularizers.errors import ConfigurationError
from regularizers.recipes import classifier

# the search and its parts, without the training around them
from regularizers.recipes.classifier import Config, _search
from regularizers.recipes.classifier._data import load
from regularizers.recipes.classifier._methods import combined, methods_of
from regularizers.recipes.classifier._parts import parts, stratified_order, training_alone
from regularizers.recipes.classifier._strengths import STRENGTHS

QUICK = ["classifier", "--units", 6, "--epochs", 2, "--search", "l1", "activity"]


@pytest.fixture
def table(tmp_path):
    """A table of 90 rows in three classes that a network can tell apart."""
    return written(tmp_path / "table.csv", *samples())


def samples():
    rng = np.random.default_rng(0)
    y = np.arange(90) % 3
    return rng.normal(size=(90, 4)) + 2 * np.eye(4)[y], y


def written(path, x, y):
    rows = [
        ",".join([*map(repr, map(float, row)), "uvw"[label]])
        for row, label in zip(x, y, strict=True)
    ]
    path.write_text("\n".join(["a,b,c,d,kind", *rows]) + "\n")
    return path


def searched(table, runs, *options):
    return run(*QUICK, "--data", table, "--target", "kind", "--runs", runs, *options)


def kept(folder):
    return json.loads((folder / "search.json").read_text())


def test_it_ends_with_the_table_the_picture_the_networks_and_the_command(
    tmp_path, table, capsys, monkeypatch
):
    assert searched(table, tmp_path / "runs", "--trials", 3, "--seeds", 2) == 0
    printed, folder = capsys.readouterr().out, only_folder(tmp_path / "runs")
    assert "Search for l1, activity: 3 trials on 30% of the training samples" in printed
    assert (
        len(re.findall(r"^trial \d of 3, l1 \S+, activity \S+: accuracy", printed, re.MULTILINE))
        == 3
    )
    assert (folder / "picture.png").is_file()
    found = kept(folder)
    for kind in ("without", "found"):
        outer = [100 * figures(folder)[kind][s]["validation_accuracy"] for s in "01"]
        assert [found[kind]["outer"][s] for s in "01"] == outer
        for seed in "01":
            assert (folder / f"networks/{kind}-{seed}.safetensors").is_file()
    assert not list((folder / "checkpoints").glob("*"))
    assert rz.recipes.load(folder).metadata["network"] in ("found-0", "without-0")
    # the command trains with what was found
    (command,) = re.findall(r"^To use what was found: (.*)$", printed, re.MULTILINE)
    seen = []
    monkeypatch.setattr(classifier, "run", seen.append)
    assert run(*shlex.split(command)[1:]) == 0
    (config,) = seen
    best = found["found"]["strengths"]
    if "No trial was better" in printed:
        best = dict.fromkeys(best, 0.0)
    assert {name: getattr(config, name) for name in best} == best
    assert (config.search, config.data, config.target) == ((), table, "kind")
    together = methods_of(config)[-1]
    assert (together.name, together.dropout, together.batch_norm) == ("together", 0, False)
    assert [rule.penalty.strength for rule in together.rules] == [best["l1"], best["activity"]]


def test_no_trial_sees_the_validation_samples(tmp_path, table):
    x, y = samples()
    validation = stratified_order(y, 0)[:27]
    garbage = x.copy()
    garbage[validation] = np.random.default_rng(1).normal(size=(27, 4)) * 100
    other = written(tmp_path / "other.csv", garbage, y)
    for name, data in (("a", table), ("b", other)):
        assert searched(data, tmp_path / name, "--trials", 2, "--seeds", 1) == 0
    a, b = (kept(only_folder(tmp_path / name)) for name in "ab")
    assert a["trials"] == b["trials"]
    assert a["without"]["inner"] == b["without"]["inner"]
    assert a["found"]["strengths"] == b["found"]["strengths"]
    assert a["without"]["outer"] != b["without"]["outer"]


@pytest.mark.parametrize("way", [[], ["group"], ["time"]])
def test_inner_parts_are_of_training_samples_alone_and_are_split_as_the_outer_ones(tmp_path, way):
    rng = np.random.default_rng(0)
    rows = [f"{i},{v},{'uv'[i % 2]},{i // 6},{i}" for i, v in enumerate(rng.normal(size=120))]
    path = tmp_path / "table.csv"
    path.write_text("\n".join(["number,value,kind,group,time", *rows]) + "\n")
    options = {name: name for name in way}
    config = Config(data=path, target="kind", scale="none", **options)
    config = dataclasses.replace(config, drop=tuple({"group", "time"} - {*way}))
    data = load(config)
    outer = {int(n) for n in parts(data, config, 0).validation.x[:, 0]}
    assert len(outer) > 20
    alone = training_alone(data, config)
    for seed in range(3):
        inner = parts(alone, dataclasses.replace(config, validation=0.3, seed=seed), seed)
        training, validation = (
            {int(n) for n in part.x[:, 0]} for part in (inner.training, inner.validation)
        )
        assert training | validation == set(range(120)) - outer
        assert not training & validation
        if way == ["group"]:
            assert not {n // 6 for n in training} & {n // 6 for n in validation}
        if way == ["time"]:
            assert max(training) < min(validation) < min(outer)


def test_trials_train_on_as_many_samples_as_asked_for(tmp_path, monkeypatch):
    sizes = []

    def trained(of_seed, *rest):
        sizes.append(len(of_seed.training.x))
        raise KeyboardInterrupt

    monkeypatch.setattr(_search, "trained", trained)
    for options, size in (([], 881), (["--train", 50], 50), (["--train", 1000], 881)):
        assert run(*QUICK, *options, "--runs", tmp_path / "runs") == 130
        assert sizes.pop() == size


def test_strengths_alone_are_those_of_the_rows_that_the_command_trains():
    config = Config(weight_decay=0.1, l1=0.2, dropout=0.3, activity=0.4)
    by_name = {m.name: m for m in methods_of(config)}
    for name, row in (("weight-decay", "weight decay"), ("l1", "L1 kernels")):
        alone = combined(Config(), {name: getattr(config, name.replace("-", "_"))})
        assert alone.rules == by_name[row].rules
        assert alone.dropout == 0
    assert combined(Config(), {"activity": 0.4}).rules == by_name["L1 activity"].rules
    assert combined(Config(), {"dropout": 0.3, "l1": 0.0}).rules == ()
    assert combined(Config(), {"dropout": 0.3, "l1": 0.0}).dropout == 0.3
    assert combined(Config(), {"l1": 0.0}).name == "none"


def test_the_first_trial_has_the_strengths_of_the_settings():
    usual = {s.name.replace("-", "_"): s.usual for s in STRENGTHS}
    assert usual == {name: getattr(Config(), name) for name in usual}
    assert all(s.low < s.usual < s.high for s in STRENGTHS)


def test_a_search_that_was_stopped_goes_on_to_the_same_end(tmp_path, table, capsys, monkeypatch):
    options = ["--trials", 3, "--seeds", 2]
    assert searched(table, tmp_path / "whole", *options) == 0
    real, count = _search.trained, 0

    def trained(*arguments):
        nonlocal count
        count += 1
        # within the second trial, and again within the networks that report
        if count in (6, 13):
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(_search, "trained", trained)
    assert searched(table, tmp_path / "cut", *options) == 130
    folder = only_folder(tmp_path / "cut")
    assert f"--resume {folder}" in capsys.readouterr().out
    assert run("classifier", "--resume", folder) == 130
    assert run("classifier", "--resume", folder) == 0
    whole = only_folder(tmp_path / "whole")
    assert kept(folder) == kept(whole)
    assert figures(folder) == figures(whole)


REFUSED = {
    "unknown": (
        ["--search", "l2"],
        "search: .* weight-decay, l1, dropout, activity, got 'l2'; did",
    ),
    "no trials": (["--search", "l1", "--trials", "0"], "trials: expected 1 or more, got 0"),
    "trials alone": (["--trials", "3"], "trials: expected --search NAMES with it"),
    "given and searched": (
        ["--search", "l1", "--l1", "0.3"],
        "l1: expected either a strength or a search for it, got --l1 0.3 beside --search l1",
    ),
    "given beside": (
        ["--search", "l1", "--dropout", "0.3"],
        "dropout: .* got --dropout 0.3; leave it out, or say --search l1 dropout",
    ),
    "combined": (
        ["--search", "l1", "--together", "l1"],
        "together: expected no methods to combine beside --search",
    ),
    "together": (["--together", "l2"], "together: expected some of .* batch-norm, got 'l2'"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_bad_input_is_one_message(case, tmp_path, capsys, monkeypatch):
    arguments, message = REFUSED[case]
    monkeypatch.chdir(tmp_path)
    assert_refused(["classifier", *arguments], message, capsys)


def test_a_search_is_not_begun_in_a_folder_that_goes_on(tmp_path, capsys):
    assert run("classifier", "--resume", tmp_path, "--search", "l1") == 2
    assert "resume: expected no other setting" in capsys.readouterr().err


def test_a_trial_that_diverges_is_a_bad_one(tmp_path, table, monkeypatch):
    def trained(of_seed, method, config, seed, checkpoint):
        network, arguments = real(of_seed, method, config, seed, checkpoint)
        if method.name != "none" and "l1 0.0002" not in method.name:
            raise ConfigurationError("learning-rate: it diverged")
        return network, arguments

    real = _search.trained
    monkeypatch.setattr(_search, "trained", trained)
    assert searched(table, tmp_path / "runs", "--trials", 3, "--seeds", 1) == 0
    found = kept(only_folder(tmp_path / "runs"))
    assert [t["whole"] for t in found["trials"]] == [True, False, False]
    assert found["found"]["strengths"]["l1"] == 2e-4
