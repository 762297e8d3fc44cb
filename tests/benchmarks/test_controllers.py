"""The trainings with targets are planned, kept and summed up as the page says."""

import math
from dataclasses import replace

import pytest
from benchmarks.controllers import classifier, new_targets, plan, training
from benchmarks.controllers.classifier import Classifier
from benchmarks.controllers.plan import SEEDS, TARGETS, held, measured, runs
from benchmarks.controllers.training import BLOCK, STEPS, Run
from benchmarks.controllers.warned import warned
from benchmarks.controllers.zeros import Point, at_zeros, best

SWINGS = "what is measured swings about the target"


def test_the_first_table_has_54_trainings(monkeypatch):
    monkeypatch.setattr(plan, "new_targets", lambda data: [])
    tasks = runs(["digits", "other"])
    by_initial = [
        replace(r, initial=1e-3) for r in tasks if isinstance(r, Run) and r.initial != 1e-3
    ]
    assert len(by_initial) == 36
    fixed = {Run(d, target=t, seed=s) for d in ("digits", "other") for t in TARGETS for s in SEEDS}
    assert set(by_initial) == fixed <= set(tasks)


def test_every_table_has_its_trainings():
    tasks = set(plan.new_targets(["digits"]))
    for seed in SEEDS:
        assert Run("digits", target=10, start=80, seed=seed) in tasks
        assert held("digits", seed) in tasks
        assert Classifier("digits", zeros=0.9, seed=seed) in tasks
    assert len([t for t in tasks if isinstance(t, Classifier) and t.constant]) == 10 * len(SEEDS)


def test_a_target_of_the_loss_is_a_share_of_the_variance():
    run = plan.of_loss("digits", 0.2, seed=1)
    x, _ = training.samples("digits", 0)
    assert run.loss == pytest.approx(0.2 * ((x - x.mean(0)) ** 2).mean().item(), rel=5e-3)


def test_what_was_trained_is_not_trained_again(tmp_path, monkeypatch):
    def fail(task):
        raise AssertionError(task)

    monkeypatch.setattr(training, "STEPS", 50)
    monkeypatch.setattr(classifier, "STEPS", 50)
    tasks = [
        Run("digits", target=10, start=80),
        Classifier("digits", zeros=0.9),
        Classifier("digits", loss=0.5, batch=64),
    ]
    found = measured(tasks, tmp_path / "kept.json", jobs=1)
    assert set(found) == set(tasks)
    assert math.isfinite(found[tasks[2]]["loss"])
    assert 0 < found[tasks[1]]["accuracy"] < 1
    monkeypatch.setattr(plan, "_train", fail)
    again = measured(tasks, tmp_path / "kept.json", jobs=1)
    assert again == found


def test_the_deviation_is_that_of_the_farthest_block():
    run = Run("digits", target=10, start=80)
    blocks = [
        sum(run.schedule.at(step) for step in range(n * BLOCK, (n + 1) * BLOCK)) / BLOCK
        for n in range(STEPS // BLOCK)
    ]
    assert new_targets.deviation(run, blocks) == pytest.approx(0, abs=1e-9)
    assert blocks[0] == pytest.approx(80, rel=0.01)
    assert blocks[-1] == 10
    blocks[-1], blocks[5] = 10.5, blocks[5] * 0.93
    assert new_targets.deviation(run, blocks) == pytest.approx(7)
    constant = replace(run, start=None)
    assert constant.schedule.at(0) == constant.schedule.at(STEPS) == 10


def test_constants_are_compared_at_the_same_zeros():
    points = [Point(0.5, 0.97), Point(0.8, 0.96), Point(0.96, 0.92), Point(1.0, 0.1)]
    assert at_zeros(points, 0.88) == pytest.approx(0.94)
    assert best(points, 0.9) == 0.92
    assert math.isnan(at_zeros(points, 0.4))
    assert math.isnan(best(points[:2], 0.9))


def test_warnings_are_counted_by_training():
    found = [{"said": []}, {"said": [SWINGS, SWINGS]}, {"said": ["something else"]}]
    assert warned(found) == "swings 1 of 3, other 1 of 3"
    assert warned(found[:1]) == "nothing"
