"""Strengths that are no numbers: every penalty takes them, and none is called on an array."""

import copy
import pickle

import array_api_strict
import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal

from regularizers import (
    AR,
    L0,
    L1,
    L1L2,
    TAR,
    ActivityRegularization,
    Budget,
    ConfidencePenalty,
    Decorrelation,
    Entropy,
    GroupLasso,
    Hinge,
    Hoyer,
    Huber,
    KLSparsity,
    L2Norm,
    L2Squared,
    Laplacian,
    LinearWarmup,
    LogSum,
    Lp,
    Orthogonal,
    Spectral,
    Temporal,
    TotalVariation,
)
from regularizers.errors import ConfigurationError, StrengthError, StrengthTypeError
from regularizers.penalties import Schedule, Strength

WARMUP = LinearWarmup(0.5, 100)


class Found(Strength):
    """A strength that finds itself, and so cannot be scaled."""

    def __mul__(self, factor):
        raise ConfigurationError(f"{self!r} cannot be scaled by {factor}")

    def __repr__(self):
        return "Found()"


class Halved(Schedule):
    def at(self, step):
        return 0.5**step

    def __repr__(self):
        return "Halved()"


def halved(step):
    return 0.5**step


FOUND = Found()
MAKERS = {
    "L0": L0,
    "L1": L1,
    "L2Norm": L2Norm,
    "L2Squared": L2Squared,
    "l1 of L1L2": lambda s: L1L2(s, 0.1),
    "l2 of L1L2": lambda s: L1L2(0.1, s),
    "Huber": Huber,
    "Lp": lambda s: Lp(s, 1.5),
    "LogSum": lambda s: LogSum(s, 0.5),
    "Hinge": lambda s: Hinge(s, above=1.0),
    "Hoyer": Hoyer,
    "TotalVariation": lambda s: TotalVariation(s, 1),
    "Laplacian": lambda s: Laplacian(s, np.ones((3, 3)), 1),
    "GroupLasso": lambda s: GroupLasso(s, 0),
    "Orthogonal": Orthogonal,
    "Spectral": Spectral,
    "Entropy": Entropy,
    "ConfidencePenalty": ConfidencePenalty,
    "Decorrelation": Decorrelation,
    "KLSparsity": lambda s: KLSparsity(s, 0.1),
    "ActivityRegularization": lambda s: ActivityRegularization(s, "l1"),
    "ActivityRegularization.l2": ActivityRegularization.l2,
    "AR": AR,
    "TAR": lambda s: TAR(s, time_axis=1),
    "Temporal": lambda s: Temporal(L1(s), time_axis=1),
    "Budget": lambda s: Budget(L1(s), 0.1),
    "strength of Budget": lambda s: Budget(L1(1.0), 0.1, strength=s),
    "a sum": lambda s: L1(0.1) + L2Squared(s),
}
every_maker = pytest.mark.parametrize("maker", MAKERS.values(), ids=MAKERS)
every_strength = pytest.mark.parametrize(
    "strength", [WARMUP, 2 * WARMUP, Halved(), FOUND], ids=repr
)


@every_maker
@every_strength
def test_a_term_keeps_the_strength_as_it_is(maker, strength):
    assert any(term.strength is strength for term in maker(strength).terms)


@every_maker
def test_a_function_of_the_step_becomes_a_schedule(maker):
    (schedule,) = [t.strength for t in maker(halved).terms if isinstance(t.strength, Schedule)]

    assert [schedule.at(step) for step in (0, 1, 3)] == [1.0, 0.5, 0.125]
    assert maker(halved) == maker(halved)
    assert hash(maker(halved)) == hash(maker(halved))


@every_maker
@pytest.mark.parametrize("strength", [WARMUP, halved], ids=["schedule", "function"])
def test_a_penalty_with_a_schedule_is_a_value(maker, strength):
    penalty = maker(strength)

    assert pickle.loads(pickle.dumps(penalty)) == penalty
    assert copy.deepcopy(penalty) == penalty
    assert penalty != maker(0.5)


@pytest.mark.parametrize(
    ("penalty", "text"),
    [
        (L1(WARMUP), "L1(LinearWarmup(0.5, 100))"),
        (L1(halved, reduce="mean"), "L1(halved, reduce='mean')"),
        (L1L2(0.5, WARMUP), "L1L2(0.5, LinearWarmup(0.5, 100))"),
        (TAR(2 * WARMUP), "TAR(2.0 * LinearWarmup(0.5, 100))"),
        (TAR(WARMUP).terms[0], "Temporal(L2Squared(LinearWarmup(0.5, 100), reduce='mean'))"),
        (Budget(L1(WARMUP), 5), "Budget(L1(LinearWarmup(0.5, 100)), 5.0)"),
    ],
)
def test_the_text_shows_the_strength(penalty, text):
    assert repr(penalty) == text


@pytest.mark.parametrize("scaled", [2 * L1(WARMUP), L1(WARMUP) * 2, np.float64(2) * L1(WARMUP)])
def test_scaling_scales_the_schedule(scaled):
    assert [scaled.strength.at(step) for step in (0, 50, 200)] == [0.0, 0.5, 1.0]


@every_maker
def test_every_penalty_scales_its_schedule(maker):
    (doubled,) = [t.strength for t in (2 * maker(WARMUP)).terms if not is_number(t.strength)]

    assert doubled == 2 * WARMUP


def is_number(strength):
    return isinstance(strength, float)


@every_maker
def test_a_strength_that_cannot_be_scaled_says_so(maker):
    with pytest.raises(ConfigurationError, match=r"Found\(\) cannot be scaled by 2"):
        2 * maker(FOUND)


def test_a_strength_is_no_array():
    with pytest.raises(TypeError, match="unsupported operand"):
        np.ones(2) * WARMUP
    with pytest.raises(TypeError, match="unsupported operand"):
        torch.ones(2) * WARMUP


METHODS = {
    "call": lambda penalty, x: penalty(x),
    "gradient": lambda penalty, x: penalty.gradient(x),
    "value_and_gradient": lambda penalty, x: penalty.value_and_gradient(x),
    "prox": lambda penalty, x: penalty.prox(x, 0.1),
}
LIBRARIES = {"numpy": np.asarray, "torch": torch.tensor, "strict": array_api_strict.asarray}
CURES = [
    (WARMUP, "LinearWarmup(0.5, 100)", "LinearWarmup(0.5, 100).at(step)"),
    (2 * WARMUP, "2.0 * LinearWarmup(0.5, 100)", "(2.0 * LinearWarmup(0.5, 100)).at(step)"),
    (halved, "halved", "halved(step)"),
]


@every_maker
@pytest.mark.parametrize(
    ("strength", "text", "cure"), CURES, ids=["schedule", "scaled", "function"]
)
def test_no_array_without_a_number(maker, strength, text, cure):
    penalty = maker(strength)
    for method in METHODS.values():
        with pytest.raises(StrengthTypeError) as caught:
            method(penalty, np.ones((2, 3)))

        assert str(caught.value) == (
            f"{penalty!r}: expected a strength that is a number, got {text}, which stands at a "
            f"step only in a Regularization; for an array take the number at a step: {cure}"
        )


@every_maker
@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_no_array_with_a_strength_that_is_found(maker, method):
    match = r"a number, got Found\(\), which finds its number only in a Regularization$"
    with pytest.raises(StrengthTypeError, match=match):
        method(maker(FOUND), np.ones((2, 3)))


@every_maker
@every_strength
def test_what_raises_leaves_the_gradient_alone(maker, strength):
    for name, library in LIBRARIES.items():
        x, grads = library([[1.0, 2.0]]), library([[7.0, 8.0]])
        with pytest.raises(StrengthTypeError, match="expected a strength that is a number"):
            maker(strength).apply(x, grads)

        assert_array_equal(np.asarray(x), [[1.0, 2.0]], err_msg=name)
        assert_array_equal(np.asarray(grads), [[7.0, 8.0]], err_msg=name)


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_no_empty_array_either(method):
    with pytest.raises(StrengthTypeError, match="expected a strength that is a number"):
        method(L1(WARMUP), np.ones((0, 3)))


def test_the_number_at_a_step_is_the_cure():
    assert float(L1(WARMUP.at(50))(np.array([1.0, -2.0]))) == 0.75


@every_maker
@pytest.mark.parametrize("strength", [True, None, "0.1", [0.1], float, L1], ids=repr)
def test_what_is_no_strength(maker, strength):
    match = (
        r"expected a number, finite and not negative, got .* of type .*; a schedule, which is a "
        r"function of the step, or a target may take the place of the number"
    )
    with pytest.raises(StrengthTypeError, match=match):
        maker(strength)


@pytest.mark.parametrize(
    ("function", "match"),
    [
        (
            lambda: 0.1,
            r"got .*<lambda>, which raised as a function of the step, at step 0: .* posi",
        ),
        (L2Squared(0.1), r"got L2Squared\(0.1\), which raised .*, at step 0: x: expected an array"),
    ],
)
def test_a_function_that_takes_no_step(function, match):
    expected = "^strength: expected a number, a schedule or a target, "
    with pytest.raises(StrengthTypeError, match=expected + match):
        L1(function)


def test_a_function_that_gives_no_strength():
    def below(step):
        return -0.5

    match = "below at step 0: expected a finite number, zero or more, got -0.5; to turn"
    with pytest.raises(StrengthError, match=f"^alpha: .*{match}"):
        AR(below)
    match = "at step 0: expected a number, finite and not negative, got None of type NoneType$"
    with pytest.raises(StrengthTypeError, match=f"^l2: .*{match}"):
        L1L2(0.1, lambda step: None)


def test_an_error_within_a_function_is_its_own():
    with pytest.raises(ZeroDivisionError):
        L1(lambda step: 1 / step)
