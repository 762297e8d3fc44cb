"""The sweeps that choosing rests on: data, penalties, what is kept, and what is said of it."""

import json
import re
from pathlib import Path

import pytest
import torch
from benchmarks.choosing import __main__ as sweeps_command
from benchmarks.choosing import plan, text, training
from benchmarks.choosing.data import data_of
from benchmarks.choosing.picture import draw
from benchmarks.choosing.plan import ALL, TEXT, Run, canonical, measured, read, runs
from benchmarks.choosing.sweeps import SWEEPS
from benchmarks.choosing.tables import written
from benchmarks.choosing.training import build, calibration_error, trained
from torch import nn

import regularizers as rz

PAGE = Path(__file__).parents[2] / sweeps_command.PAGE


def test_a_seed_draws_the_training_samples_and_validation_is_the_same():
    one, other = (data_of("digits", None, seed) for seed in (0, 1))
    assert torch.equal(one.validation.x, other.validation.x)
    assert not torch.equal(one.training.x, other.training.x)
    assert (len(one.training.y), len(one.validation.y)) == (200, 900)
    held_out = {tuple(x.tolist()) for x in one.validation.x}
    assert not held_out & {tuple(x.tolist()) for x in one.training.x}


def test_every_sweep_has_what_it_says(monkeypatch):
    monkeypatch.setattr(training, "STEPS", 1)
    data = data_of("digits", None, 0)
    for name, sweep in SWEEPS.items():
        network = build(data, sweep.network)
        rules = sweep.rules(sweep.strengths[0])
        assert bool(rules) == (name != "dropout")
        if rules:
            strengths = rz.Regularization(network, rules).strengths
            assert len(strengths) >= 1, name
    assert [type(m) for m in build(data, "plain", dropout=0.5)].count(nn.Dropout) == 2


def test_calibration_error_by_hand():
    # confidences .8 (right), .8 (wrong), .6 (right): |1.6 − 1| + |.6 − 1| over 3
    logits = torch.log(torch.tensor([[0.8, 0.2], [0.2, 0.8], [0.6, 0.4]]))
    right = torch.tensor([1.0, 0.0, 1.0])
    assert calibration_error(logits, right) == pytest.approx((0.6 + 0.4) / 3, rel=1e-5)


def test_penalties_change_what_they_are_to_change(monkeypatch):
    monkeypatch.setattr(training, "STEPS", 60)
    data = data_of("digits", None, 0)
    without = trained(data, "L1 of kernels", 0.0, 0)
    assert without["zeros"] == 0
    assert trained(data, "L1 of kernels", 3e-3, 0)["zeros"] > 0.2
    assert trained(data, "L1 of activations", 1.0, 0)["outputs"] < without["outputs"]
    forgotten = trained(data, "L2-SP", 0.0, 0)["first task"]
    assert trained(data, "L2-SP", 0.1, 0)["first task"] > forgotten


def test_runs_without_a_penalty_are_one_for_each_network():
    todo = runs()
    assert len(todo) == len(set(todo))
    bare = [run for run in todo if not run.strength]
    # plain, large inputs, deep, two tasks, of three data sets, and the text: of three seeds
    assert len(bare) == (4 * 3 + 1) * 3
    assert canonical(Run("dropout", "digits", 0.0, 1)) in todo
    assert {run.sweep for run in runs(names=["dropout"]) if run.strength} == {"dropout"}
    with pytest.raises(SystemExit, match=r"expected some of weight decay, .* got L3"):
        runs(names=["L3"])


def test_what_is_kept_is_not_trained_again(tmp_path, monkeypatch, capsys):
    trained_now = []

    def train(run, mnist):
        trained_now.append(run)
        return {"accuracy": 0.5}

    monkeypatch.setattr(plan, "_train", train)
    kept = tmp_path / "results" / "kept.jsonl"
    first, second, third = runs()[:3]
    measured([first, second], kept, None)
    with kept.open("a") as file:
        file.write('[["weight decay", "dig')
    results = measured([first, second, third], kept, None)
    assert results == {run: {"accuracy": 0.5} for run in (first, second, third)}
    assert trained_now == [first, second, third]
    assert set(read(kept)) == {first, second, third}
    assert all(json.loads(line) for line in kept.read_text().splitlines())


@pytest.fixture
def made_up():
    """Results in which a strength of s has an accuracy or a perplexity of s + seed / 100."""
    figures = dict.fromkeys(
        [
            *("gap", "saturated", "active", "zeros", "units left", "condition", "calibration"),
            *("first task", "step change"),
        ],
        0.25,
    )
    return {
        run: {"accuracy": 0.1 + run.seed / 100, "perplexity": run.strength + 50 + run.seed}
        | figures
        for run in runs()
    }


def test_tables_by_hand(made_up):
    lines = written(made_up, ["weight decay", "AR"]).splitlines()
    assert lines[0] == (
        "**weight decay**: accuracy on validation, %, mean ± deviation of 3 seeds, and in brackets "
        "the gap to training accuracy, points."
    )
    assert lines[2].startswith("|  | without | λ = 0.001 | 0.003 |")
    assert lines[4].startswith("| digits | 11.0 ± 1.0 (25) |")
    assert lines[-1].startswith(f"| {TEXT} | 51.0 ± 1.0 (0.25) | 51.1 ± 1.0 (0.25) |")
    assert all(f"**{name}**" in written(made_up, ALL) for name in ALL)


def test_the_page_keeps_what_is_written_by_hand(made_up, tmp_path, monkeypatch):
    page = tmp_path / "tables.md"
    page.write_text(PAGE.read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.setattr(sweeps_command, "PAGE", page)
    monkeypatch.setattr(sweeps_command, "measured", lambda *_: made_up)
    sweeps_command.main("mnist")
    old, new = PAGE.read_text(encoding="utf-8"), page.read_text(encoding="utf-8")
    assert new.partition("<!-- measured -->")[0] == old.partition("<!-- measured -->")[0]
    assert "| digits | 11.0 ± 1.0 (25) |" in new
    # the same sweeps with the same strengths: only figures differ
    assert shape(new) == shape(old)


def shape(page):
    """Return the lines of a page without the figures of its rows."""
    return [re.sub(r"^(\| [^|]+ \|) .*±.*$", r"\1", line) for line in page.splitlines()]


def test_pictures_are_drawn(made_up, tmp_path):
    draw(made_up, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        *("choosing-gap.png", "choosing-others.png", "choosing-text.png")
    }


def test_a_text_is_learned_and_ar_keeps_states_short(monkeypatch):
    monkeypatch.setattr(text, "TOKENS", 4000)
    monkeypatch.setattr(text, "EPOCHS", 2)
    text.text.cache_clear()
    try:
        training_part, validation, words = text.text()
        assert len(training_part) + len(validation) == 4000
        assert int(max(training_part.max(), validation.max())) < words
        without, with_ar = (text.trained("AR", strength, 0) for strength in (0.0, 10.0))
        assert without["perplexity"] < words / 2
        assert with_ar["norm"] < without["norm"]
    finally:
        text.text.cache_clear()
