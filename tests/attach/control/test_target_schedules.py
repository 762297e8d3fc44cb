"""Targets that move by the step, and targets that are upper bounds."""

import dataclasses
import json
import math

import pytest

import regularizers as rz
from attach.control.driving import Shifted, coder, deliver, numbers, saved, trained

# the limits of schedules are asked for one by one
from regularizers.attach.control._goal import Goal
from regularizers.control import QUIET, ProportionalIntegral
from regularizers.errors import ConfigurationError, RegularizersError

KEY = "1/activity/L1"
deliveries = pytest.mark.parametrize("delivery", ["collect", "inject"])


def controlled(model, target, delivery="collect"):
    return rz.Regularization(model, [rz.activity(rz.L1(target), where="1")], delivery=delivery)


@dataclasses.dataclass(frozen=True)
class Asks(rz.Law):
    """Keeps what it was asked for."""

    def init(self, initial):
        return {"wanted": initial}

    def update(self, state, measured, wanted, scale):
        return {"wanted": wanted}, 1e-6


SCHEDULES = {
    "units": (lambda s: rz.TargetActive(s, law=Asks()), 8, 3),
    "fraction": (lambda s: rz.TargetActive(fraction=s, law=Asks()), 0.8, 0.2),
    "mean": (lambda s: rz.TargetMean(s, law=Asks()), 1.0, 0.25),
    "norm": (lambda s: rz.TargetNorm(s, law=Asks()), 4.0, 0.5),
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_the_law_is_given_the_target_of_its_step(name):
    make, start, end = SCHEDULES[name]
    model = coder()
    reg = controlled(model, make(rz.Cosine(start, end, steps=20)))
    assert reg.targets()[KEY].wanted == start
    for step in range(1, 26):
        trained(model, reg, 1, first=step)
        share = (1 + math.cos(math.pi * min(step, 20) / 20)) / 2
        expected = end + (start - end) * share
        assert saved(reg)["law"]["wanted"] == pytest.approx(expected, rel=1e-12)
        assert reg.targets()[KEY].wanted == pytest.approx(expected, rel=1e-12)


def test_a_function_of_the_step_is_a_schedule():
    model = coder()
    reg = controlled(model, rz.TargetActive(lambda step: 8.0 - step, law=Asks()))
    trained(model, reg, 3)
    assert saved(reg)["law"]["wanted"] == 5.0


@deliveries
def test_a_target_that_moves_is_followed(delivery):
    model = coder(24)
    target = rz.TargetActive(rz.Piecewise({0: 8, 700: 4}))
    reg = controlled(model, target, delivery)
    trained(model, reg, 690, delivery=delivery)
    assert reg.targets()[KEY].measured == pytest.approx(8, rel=0.05)
    trained(model, reg, 900, first=690, delivery=delivery)
    reached = reg.targets()[KEY]
    assert reached.wanted == 4
    assert reached.measured == pytest.approx(4, rel=0.05)


@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, math.inf])
def test_a_target_that_becomes_none_names_the_step_and_changes_nothing(value):
    def moving(step):
        return value if step == 3 else 5.0

    model = coder()
    reg = controlled(model, rz.TargetActive(moving))
    trained(model, reg, 2)
    deliver(reg, model(numbers(8, 4)).sum(), "collect")
    before = reg.state_dict()
    for _ in range(2):
        with pytest.raises(ConfigurationError, match=rf"{KEY}: .* wanted at step 3: expected a "):
            reg.step()
        assert reg.state_dict() == before


@pytest.mark.parametrize("value", [0.0, -1.0, math.nan])
def test_a_schedule_of_targets_is_checked_at_its_beginning(value):
    with pytest.raises(
        RegularizersError, match=r"TargetMean.* at step 0: expected a finite number"
    ):
        rz.TargetMean(lambda step: value)


def test_a_strength_with_a_target_is_no_target():
    with pytest.raises(ConfigurationError, match="expected a number or a schedule, such as Cosine"):
        rz.TargetActive(rz.TargetActive(3))


def test_more_units_than_there_are_at_the_beginning():
    model = coder()
    reg = controlled(model, rz.TargetActive(rz.Cosine(13, 3, steps=10)))
    with pytest.raises(ConfigurationError, match="1: expected a target of 12 active units"):
        model(numbers(8, 4))
    reg.detach()


# upper bounds


def found(reg, model, x, pull):
    """Take a step, and return the strength that it finds."""
    deliver(reg, (pull * model(x)).sum(), "collect")
    reg.step()
    return next(iter(reg.strengths.values()))


@pytest.mark.parametrize("at_most", [False, True])
def test_a_bound_that_holds_by_itself_needs_no_strength(at_most):
    """And that is asked for again where more is measured; an equality keeps a little."""
    model = Shifted()
    target = rz.TargetActive(3, at_most=at_most)
    reg = rz.Regularization(model, [rz.activity(rz.L1(target), where="")])
    many, few = numbers(16, 8), numbers(16, 8) * (numbers(16, 8, seed=5).abs() > 1.5)
    assert (few != 0).sum().item() < 2 * 16 < (many != 0).sum().item()
    strengths = [found(reg, model, many, 1.0) for _ in range(40)]
    assert strengths[8] == QUIET
    assert min(strengths[9:]) > 0.1 * saved(reg)["scale"]
    strengths = [found(reg, model, few, 1.0) for _ in range(300)]
    least = saved(reg)["scale"] * (1e-3 if at_most else 1e-6)
    if at_most:
        assert strengths[-1] == QUIET
    else:
        assert QUIET < strengths[-1] < least
    strengths = [found(reg, model, many, 1.0) for _ in range(150)]
    assert strengths[-1] > 0.1 * saved(reg)["scale"]
    # an inequality comes back from its higher end within half the steps
    first = next(n for n, s in enumerate(strengths) if s > 0.1 * saved(reg)["scale"])
    assert (first < 70) == at_most


def test_a_bound_is_reached_from_above():
    model = coder(24)
    reg = controlled(model, rz.TargetActive(4, at_most=True))
    trained(model, reg, 1500)
    assert reg.targets()[KEY].measured < 4.3


def test_a_bound_and_an_equality_are_told_apart_at_one_law():
    """They have the law in common if it is stated, and one tensor of strengths."""
    model = Shifted()
    law = ProportionalIntegral(least=1e-3)
    both = [rz.TargetActive(3, law=law), rz.TargetActive(3, at_most=True, law=law)]
    reg = rz.Regularization(model, [rz.activity(rz.L1(both[0]) + rz.L1(both[1]), where="")])
    few = numbers(16, 8) * (numbers(16, 8, seed=5).abs() > 1.5)
    for _ in range(200):
        found(reg, model, few, 1.0)
    equality, bound = reg.strengths.values()
    assert bound == QUIET
    assert equality > 1e-9
    first, second = [saved(reg, key)["law"] for key in reg.strengths]
    assert first == pytest.approx(second, rel=1e-12)


def test_a_bound_is_not_warned_of_where_it_holds(recwarn):
    model = coder()
    reg = controlled(model, rz.TargetActive(11, at_most=True))
    trained(model, reg, 800)
    assert reg.strengths[KEY] == QUIET
    assert [str(each.message) for each in recwarn] == []


def test_a_bound_says_so():
    assert repr(rz.TargetActive(3, at_most=True)) == "TargetActive(3.0, at_most=True)"
    with pytest.raises(ConfigurationError, match="at_most: expected True or False, got 1"):
        rz.TargetMean(3, at_most=1)


def test_a_moving_target_is_saved_as_its_rule():
    model = coder()
    reg = controlled(model, rz.TargetActive(rz.Cosine(8, 3, steps=20)))
    trained(model, reg, 12)
    other_model = coder()
    other = controlled(other_model, rz.TargetActive(rz.Cosine(8, 3, steps=30)))
    with pytest.raises(ConfigurationError, match=r"the state is of other rules"):
        other.load_state_dict(json.loads(json.dumps(reg.state_dict())))


@pytest.mark.parametrize(
    "target",
    [
        lambda: rz.TargetMean(lambda step: -1.0),
        lambda: rz.TargetNorm(lambda step: math.nan),
        lambda: rz.TargetZeros(lambda step: "0.5"),
    ],
)
def test_a_function_that_is_no_target_is_told_so(target):
    with pytest.raises(ConfigurationError, match="schedule of numbers above 0"):
        target()


@pytest.mark.parametrize(
    ("target", "limit"),
    [(rz.TargetZeros(lambda s: 0.5 + s), "1"), (rz.TargetActive(fraction=lambda s: 1 + s), "1")],
)
def test_a_share_stays_below_all(target, limit):
    goal = Goal("site", target, 1.0)
    assert goal.wanted_at(0) <= 1
    with pytest.raises(
        ConfigurationError, match=f"at step 1: expected a number of at most {limit}"
    ):
        goal.wanted_at(1)
