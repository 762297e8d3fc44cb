"""A run that goes on from a saved state goes on bit for bit; also from a state of version 0.1."""

import copy
import json

import pytest
import torch

import regularizers as rz
from attach.control.driving import batch, coder, deliver, error_of, from_json, trained

KEY = "1/activity/L1"
deliveries = pytest.mark.parametrize("delivery", ["collect", "inject"])
RULES = {
    "active units": rz.L1(rz.TargetActive(3)),
    "beyond a threshold": rz.L1(rz.TargetActive(3, threshold=0.1)),
    "a mean": rz.L2Squared(rz.TargetMean(0.2)),
    "a norm": rz.L2Norm(rz.TargetNorm(0.8), reduce="sum"),
    "a schedule": rz.L1(rz.TargetActive(rz.Cosine(8, 3, steps=60))),
    "at most": rz.L1(rz.TargetActive(9, at_most=True)),
    "two laws": rz.L1(rz.TargetActive(3)) + rz.L2Squared(rz.TargetNorm(2, at_most=True)),
    "a target and a schedule": rz.L1(rz.TargetActive(3)) + rz.L2Squared(rz.Cosine(0.1, 0, steps=9)),
}


def made(name, delivery):
    model = coder()
    return model, rz.Regularization(model, [rz.activity(RULES[name], where="1")], delivery=delivery)


@deliveries
@pytest.mark.parametrize("after", [7, 23, 47])
@pytest.mark.parametrize("name", RULES)
def test_strengths_and_weights_are_those_of_the_run_that_was_not_stopped(name, after, delivery):
    """Stopped before the law begins, within the thirty readings, and after them."""
    model, reg = made(name, delivery)
    trained(model, reg, after, delivery=delivery)
    state, weights = from_json(reg), copy.deepcopy(model.state_dict())
    expected = trained(model, reg, 40, first=after, delivery=delivery)

    fresh, other = made(name, delivery)
    fresh.load_state_dict(weights)
    other.load_state_dict(state)
    assert from_json(other) == state
    assert trained(fresh, other, 40, first=after, delivery=delivery) == expected
    for ours, theirs in zip(fresh.parameters(), model.parameters(), strict=True):
        assert torch.equal(ours, theirs)
    law, others_law = (
        {key: each["law"] for key, each in r.state_dict()["controllers"].items()}
        for r in (reg, other)
    )
    assert others_law == law


@deliveries
@pytest.mark.parametrize("after", [12, 35])
def test_a_step_that_was_begun_is_ended_after_the_restart(after, delivery):
    def half(model, reg, step):
        deliver(reg, error_of(model, batch(step)) / 2, delivery)

    model, reg = made("active units", delivery)
    trained(model, reg, after, delivery=delivery)
    half(model, reg, after)
    fresh, other = made("active units", delivery)
    fresh.load_state_dict(copy.deepcopy(model.state_dict()))
    other.load_state_dict(from_json(reg))
    for m, r in ((model, reg), (fresh, other)):
        half(m, r, after + 1)
        r.step()
    assert from_json(other) == from_json(reg)


@deliveries
def test_the_optimizer_that_it_is_attached_to_carries_the_state(delivery):
    def run():
        model, reg = made("two laws", delivery)
        update = torch.optim.Adam(model.parameters(), 1e-2)
        reg.attach(update)
        return model, reg, update

    model, reg, update = run()
    trained(model, reg, 23, delivery=delivery, optimizer=update)
    weights, kept = copy.deepcopy([model.state_dict(), update.state_dict()])
    state = from_json(reg)
    expected = trained(model, reg, 40, first=23, delivery=delivery, optimizer=update)

    fresh, other, again = run()
    fresh.load_state_dict(weights)
    again.load_state_dict(kept)
    assert from_json(other) == state
    assert trained(fresh, other, 40, first=23, delivery=delivery, optimizer=again) == expected


def test_reading_a_state_changes_nothing():
    """Though what the steps measured is brought to the host earlier than it would be."""
    runs = []
    for reads in (False, True):
        model, reg = made("active units", "collect")
        strengths = []
        for step in range(60):
            strengths += trained(model, reg, 1, first=step)
            if reads:
                reg.state_dict()
                reg.targets()
        runs.append((strengths, reg.state_dict()["controllers"][KEY]["law"]))
    assert runs[0] == runs[1]


def test_a_state_is_loaded_over_a_run_that_has_gone_on():
    """What this run measured since is dropped with it."""
    model, reg = made("active units", "collect")
    trained(model, reg, 23)
    state, weights = from_json(reg), copy.deepcopy(model.state_dict())
    expected = trained(model, reg, 20, first=23)
    model.load_state_dict(weights)
    reg.load_state_dict(state)
    assert from_json(reg) == state
    assert trained(model, reg, 20, first=23) == expected


FORMER = """
{
 "rules": {"1/activity/L1": "TargetActive(4.0)"},
 "steps": 40,
 "strengths": {"1/activity/L1": 0.06043416412232553},
 "controllers": {
  "1/activity/L1": {
   "law": {
    "initial": 0.001,
    "integral": -3.6125263302954385,
    "looked_on": 40.0,
    "measured_total": 59.1728921353424,
    "measured_weight": 9.852191170585655,
    "scale_total": 2.416865668339015,
    "scale_weight": 17.42975686869792
   },
   "strength": 0.06043416412232553,
   "diagnosis": {
    "measured": {"steps": 10, "total": 59.1728921353424, "weight": 9.852191170585655},
    "scales": 40,
    "lost": 0,
    "nearest": Infinity,
    "stuck": 0,
    "previous": 0.4765625,
    "together": {"steps": 50, "total": 5.838614521353916, "weight": 23.27126835026057},
    "square": {"steps": 50, "total": 5.98464324490228, "weight": 23.27126835026057},
    "steps": 40,
    "said": []
   },
   "sums": [0.0, 0.0, 0.0, 0.0]
  }
 }
}
"""
"""What the version before the laws lay on the device saved after 40 steps of a TargetActive(4)."""


def former(delivery="collect"):
    model = coder()
    rules = [rz.activity(rz.L1(rz.TargetActive(4)), where="1")]
    reg = rz.Regularization(model, rules, delivery=delivery)
    reg.load_state_dict(json.loads(FORMER))
    return model, reg


@deliveries
def test_a_former_state_is_restored(delivery):
    _, reg = former(delivery)
    saved, state = json.loads(FORMER), reg.state_dict()
    assert state["steps"] == 40
    assert dict(reg.strengths) == saved["strengths"]
    mine, theirs = state["controllers"][KEY], saved["controllers"][KEY]
    for name in ("law", "strength", "sums"):
        assert mine[name] == theirs[name], name
    for name in ("measured", "scales", "lost", "previous", "together", "square", "steps", "said"):
        assert mine["diagnosis"][name] == theirs["diagnosis"][name], name
    assert reg.targets()[KEY].measured == pytest.approx(59.1728921353424 / 9.852191170585655)


@deliveries
def test_a_former_state_goes_on(delivery):
    """By the formulas, from the numbers that it had come to."""
    model, reg = former(delivery)
    law = json.loads(FORMER)["controllers"][KEY]["law"]
    for step in range(40, 60):
        x = batch(step)
        with torch.no_grad(), reg.paused():
            active = (model[:2](x) > 0).sum().item() / len(x)
        trained(model, reg, 1, first=step, delivery=delivery)
        after = reg.state_dict()["controllers"][KEY]
        law["measured_total"] = 0.9 * law["measured_total"] + active
        law["measured_weight"] = 0.9 * law["measured_weight"] + 1
        law["scale_total"] = 0.95 * law["scale_total"] + after["scale"]
        law["scale_weight"] = 0.95 * law["scale_weight"] + 1
        for name in ("measured_total", "measured_weight", "scale_total", "scale_weight"):
            assert after["law"][name] == pytest.approx(law[name], rel=1e-12), name
        assert after["law"]["looked_on"] == step + 1
    # it has begun, so its integral moves on from where it was, by a tenth of the error at most
    assert abs(after["law"]["integral"] - law["integral"]) <= 20 * 0.1
    assert after["law"]["integral"] != law["integral"]
    assert reg.state_dict()["steps"] == 60


def test_a_former_state_has_its_last_scale_in_the_average():
    """It saved no last scale; a step without gradients is given the average."""
    _, reg = former()
    law = json.loads(FORMER)["controllers"][KEY]["law"]
    expected = law["scale_total"] / law["scale_weight"]
    assert reg.state_dict()["controllers"][KEY]["scale"] == pytest.approx(expected, rel=1e-15)
