"""Schedules at chosen steps, by hand and by NumPy's interpolation; what cannot be is refused."""

import pickle
from math import cos, inf, nan, pi

import numpy as np
import pytest

import regularizers
from regularizers import Constant, Cosine, LinearWarmup, Piecewise
from regularizers.errors import ConfigurationError, StrengthError, StrengthTypeError

POINTS = {0: 1.0, 10: 3.0, 30: 2.0}
NO_SUM = "unsupported operand|can only concatenate"
NO_PRODUCT = "unsupported operand|can't multiply sequence|does not support ufuncs"

BY_HAND = [
    (Constant(0.5), {0: 0.5, 7: 0.5}),
    (LinearWarmup(2.0, 8), {0: 0.0, 2: 0.5, 4: 1.0, 7: 1.75, 8: 2.0, 9: 2.0, 1000: 2.0}),
    (LinearWarmup(2.0, 8, start=1.0), {0: 1.0, 2: 1.25, 8: 2.0, 9: 2.0}),
    (LinearWarmup(1.0, 4, start=3.0), {0: 3.0, 1: 2.5, 4: 1.0, 5: 1.0}),
    (LinearWarmup(2.0, 1), {0: 0.0, 1: 2.0}),
    (Cosine(2.0, 0.0, 12), {0: 2.0, 4: 1.5, 6: 1.0, 8: 0.5, 12: 0.0, 13: 0.0}),
    (Cosine(1.0, 3.0, 4), {0: 1.0, 1: 2 - cos(pi / 4), 2: 2.0, 4: 3.0, 400: 3.0}),
    (Piecewise(POINTS), {0: 1.0, 9: 1.0, 10: 3.0, 29: 3.0, 30: 2.0, 31: 2.0}),
    (Piecewise({5: 2.0, 0: 0.0}), {0: 0.0, 4: 0.0, 5: 2.0}),
    (Piecewise({0: 0.25}, interpolate="linear"), {0: 0.25, 9: 0.25}),
    (Piecewise(POINTS, interpolate="linear"), {0: 1, 5: 2, 10: 3, 20: 2.5, 29: 2.05, 31: 2}),
    (2 * LinearWarmup(2.0, 8), {0: 0.0, 4: 2.0, 9: 4.0}),
    (LinearWarmup(2.0, 8) * 0.5 * 3, {4: 1.5}),
    (np.float64(2) * Constant(0.5), {3: 1.0}),
    (LinearWarmup(2.0, 8) * Cosine(2.0, 0.0, 12), {0: 0.0, 4: 1.5, 8: 1.0, 12: 0.0}),
    (LinearWarmup(2.0, 8) + Constant(0.5), {0: 0.5, 4: 1.5, 9: 2.5}),
    (Constant(0.5) + (lambda step: step / 4), {0: 0.5, 4: 1.5}),
    ((lambda step: step / 4) + Constant(0.5), {0: 0.5, 4: 1.5}),
    (Constant(0.5) * (lambda step: step / 4), {0: 0.0, 4: 0.5}),
    ((lambda step: step / 4) * Constant(0.5), {0: 0.0, 4: 0.5}),
    (
        LinearWarmup(2.0, 8).then(Cosine(2.0, 0.0, 12), at=8),
        {0: 0.0, 4: 1.0, 7: 1.75, 8: 2.0, 12: 1.5, 20: 0.0, 21: 0.0},
    ),
    (Constant(0.5).then(lambda step: step / 4, at=3), {2: 0.5, 3: 0.0, 4: 0.25}),
    (
        Constant(1.0).then(Constant(2.0), at=2).then(LinearWarmup(4.0, 2), at=4),
        {1: 1.0, 2: 2.0, 3: 2.0, 4: 0.0, 5: 2.0, 6: 4.0},
    ),
    (2 * Constant(1.0).then(LinearWarmup(4.0, 2), at=4), {3: 2.0, 5: 4.0}),
]
every_schedule = pytest.mark.parametrize("schedule", [s for s, _ in BY_HAND], ids=repr)


@pytest.mark.parametrize(("schedule", "values"), BY_HAND, ids=repr)
def test_values_by_hand(schedule, values):
    found = {step: schedule.at(step) for step in values}
    assert found == pytest.approx(values, rel=1e-15, abs=1e-15)


def test_lines_between_points_are_those_of_numpy():
    schedule, steps = Piecewise(POINTS, interpolate="linear"), range(60)
    expected = np.interp(steps, list(POINTS), list(POINTS.values()))
    assert [schedule.at(step) for step in steps] == pytest.approx(expected, rel=1e-15)


@pytest.mark.parametrize("strength", [0.1, 1e-3, 0.3, 7e-9])
@pytest.mark.parametrize("start", [0.0, 0.7, 1e-12])
def test_the_ends_are_reached_exactly(strength, start):
    for steps in (1, 3, 7, 1000):
        for schedule in (LinearWarmup(strength, steps, start), Cosine(start, strength, steps)):
            assert schedule.at(0) == start
            assert schedule.at(steps) == schedule.at(10 * steps) == strength


REPRS = [
    (Constant(1), "Constant(1.0)"),
    (LinearWarmup(1e-3, 100), "LinearWarmup(0.001, 100)"),
    (LinearWarmup(1e-3, 100, start=0.5), "LinearWarmup(0.001, 100, 0.5)"),
    (Cosine(1e-3, 0, steps=9), "Cosine(0.001, 0.0, 9)"),
    (Piecewise({5: 2, 0: 0}), "Piecewise({0: 0.0, 5: 2.0})"),
    (Piecewise({0: 1}, interpolate="linear"), "Piecewise({0: 1.0}, interpolate='linear')"),
    (2 * (3 * Constant(1)), "2.0 * (3.0 * Constant(1.0))"),
    (2 * (Constant(1) + Constant(2)), "2.0 * (Constant(1.0) + Constant(2.0))"),
    (2 * (Constant(1) * Constant(2)), "2.0 * (Constant(1.0) * Constant(2.0))"),
    (2 * Constant(1) * Constant(2), "(2.0 * Constant(1.0)) * Constant(2.0)"),
    (Constant(1) + Constant(2) + Constant(3), "Constant(1.0) + Constant(2.0) + Constant(3.0)"),
    (Constant(1) + (Constant(2) + Constant(3)), "Constant(1.0) + (Constant(2.0) + Constant(3.0))"),
    (2 * Constant(1) + Constant(2), "2.0 * Constant(1.0) + Constant(2.0)"),
    (2 * Constant(1).then(Constant(2), at=5), "2.0 * Constant(1.0).then(Constant(2.0), at=5)"),
    ((2 * Constant(1)).then(Constant(2), at=5), "(2.0 * Constant(1.0)).then(Constant(2.0), at=5)"),
]


@pytest.mark.parametrize(("schedule", "text"), REPRS)
def test_the_text_is_the_call_that_makes_it(schedule, text):
    assert repr(schedule) == text
    assert eval(text, vars(regularizers).copy()) == schedule


def halved(step):
    return 0.5**step


def test_a_function_is_shown_by_its_name():
    assert repr(Constant(1) + halved) == "Constant(1.0) + halved"
    assert repr(Constant(1) * Constant(2).at).endswith("* Constant.at")
    assert repr(Constant(1) * np.sqrt) == "Constant(1.0) * sqrt"


@pytest.mark.parametrize("schedule", [s for s, _ in REPRS] + [Constant(1) + halved], ids=repr)
def test_a_schedule_is_a_value(schedule):
    returned = pickle.loads(pickle.dumps(schedule))
    assert returned == schedule
    assert hash(returned) == hash(schedule)


def test_schedules_that_differ_are_unequal():
    schedules = [schedule for schedule, _ in REPRS]
    assert len(set(schedules)) == len(schedules)


def test_points_are_kept_in_their_order():
    points = {5: 2.0, 0: 1}
    schedule = Piecewise(points)
    points[7] = 3.0
    assert schedule == Piecewise({0: 1.0, 5: 2.0})
    assert schedule.points == ((0, 1.0), (5, 2.0))
    assert Piecewise(schedule.points) == schedule


MAKERS = {
    "value": Constant,
    "strength": lambda s: LinearWarmup(s, 10),
    "start": lambda s: LinearWarmup(1.0, 10, start=s),
    "end": lambda s: Cosine(1.0, s, 10),
    "points: step 7": lambda s: Piecewise({0: 0.0, 7: s}),
    "factor": lambda s: s * Constant(1.0),
}


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("strength", [-1.0, nan, inf, -1e-300])
def test_a_strength_that_is_negative_or_not_finite(name, strength):
    match = f"^{name}: expected a finite number, zero or more, got {strength}; to turn a penalty"
    with pytest.raises(StrengthError, match=match):
        MAKERS[name](strength)


@pytest.mark.parametrize("name", [name for name in MAKERS if name != "factor"])
@pytest.mark.parametrize("strength", [True, "0.1", None, 1j, Constant(1.0)], ids=repr)
def test_a_strength_that_is_no_number(name, strength):
    match = f"^{name}: expected a number, finite and not negative, got .* of type"
    with pytest.raises(StrengthTypeError, match=match):
        MAKERS[name](strength)


@pytest.mark.parametrize("steps", [0, -1, 1.0, 10.5, True, None, "10", np.int64(10)], ids=repr)
@pytest.mark.parametrize("maker", [lambda n: LinearWarmup(1.0, n), lambda n: Cosine(1.0, 0.0, n)])
def test_a_number_of_steps_that_cannot_be(maker, steps):
    match = "^steps: expected an integer of 1 or more, a number of steps of the optimizer, got"
    with pytest.raises(ConfigurationError, match=match) as caught:
        maker(steps)

    assert str(caught.value).endswith(f"got {steps!r}")


@pytest.mark.parametrize(
    ("points", "match"),
    [
        ([(0, 1.0)], r"expected strengths by step, such as \{0: 0.0, 1000: 1e-3\}, got \[\(0, 1"),
        (0.1, r"expected strengths by step, .*, got 0.1"),
        ((0, 1.0), r"expected strengths by step, .*, got \(0, 1.0\)"),
        ({0.0: 1.0}, "expected steps that are integers, zero or more, got 0.0"),
        ({0: 1.0, "7": 1.0}, "expected steps that are integers, zero or more, got '7'"),
        ({0: 1.0, -7: 1.0}, "expected steps that are integers, zero or more, got -7"),
        ({False: 1.0}, "expected steps that are integers, zero or more, got False"),
        ({1: 1.0}, r"distinct, of which one is 0, where training begins, got \[1\]"),
        ({}, r"distinct, of which one is 0, where training begins, got \[\]"),
        (((0, 1.0), (0, 2.0)), r"distinct, of which one is 0, .*, got \[0, 0\]"),
    ],
    ids=repr,
)
def test_points_that_cannot_be(points, match):
    with pytest.raises(ConfigurationError, match=f"^points: expected .*{match}|^points: {match}"):
        Piecewise(points)


@pytest.mark.parametrize("interpolate", ["cubic", "", None, True, ["linear"]], ids=repr)
def test_another_interpolation(interpolate):
    with pytest.raises(ConfigurationError, match=r"^interpolate: expected 'constant' or 'linear'"):
        Piecewise({0: 1.0}, interpolate=interpolate)


@pytest.mark.parametrize("other", [0.5, None, "0.5", Constant], ids=repr)
def test_what_is_no_schedule_cannot_follow(other):
    match = r"^then: expected a schedule, got .*; for a number write Constant\(number\)"
    with pytest.raises(ConfigurationError, match=match):
        Constant(1.0).then(other, at=3)


@pytest.mark.parametrize("at", [0, -1, 2.0, True, None], ids=repr)
def test_a_step_at_which_none_can_begin(at):
    match = f"^at: expected an integer of 1 or more, the step at which .* begins, got {at!r}"
    with pytest.raises(ConfigurationError, match=match):
        Constant(1.0).then(Constant(2.0), at=at)


@pytest.mark.parametrize("other", [0.5, None, "0.5", True, 2j, Constant], ids=repr)
def test_only_a_schedule_adds(other):
    with pytest.raises(TypeError, match=NO_SUM):
        Constant(1.0) + other
    with pytest.raises(TypeError, match=NO_SUM):
        other + Constant(1.0)


@pytest.mark.parametrize("other", [None, "0.5", True, 2j, [1.0], np.ones(2), Constant], ids=repr)
def test_only_a_number_or_a_schedule_multiplies(other):
    with pytest.raises(TypeError, match=NO_PRODUCT):
        Constant(1.0) * other
    with pytest.raises(TypeError, match=NO_PRODUCT):
        other * Constant(1.0)
