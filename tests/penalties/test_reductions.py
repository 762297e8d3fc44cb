"""How elements become one number: worked out by hand for one 2 x 3 array."""

from math import log, sqrt

import numpy as np
import pytest
from numpy.testing import assert_allclose

from penalties.arrays import make, numbers
from regularizers import L1, L1L2, ActivityRegularization, KLSparsity, L2Norm, L2Squared

X = np.array([[2.0, -1.0, 2.0], [-4.0, 0.0, 3.0]])  # |x| by row: 5, 7; x² by row: 9, 25
SIGN = np.array([[1, -1, 1], [-1, 0, 1]])
COLUMN_NORMS = np.array([sqrt(20), 1, sqrt(13)])

BY_HAND = [
    (L1, "sum", 0, 6.0, SIGN / 2),
    (L1, "batch_mean", 0, 3.0, SIGN / 4),
    (L1, "batch_mean", 1, 2.0, SIGN / 6),
    (L1, "batch_mean", (0, 1), 1.0, SIGN / 12),
    (L1, "mean", 0, 1.0, SIGN / 12),
    (L2Squared, "sum", 0, 17.0, X),
    (L2Squared, "batch_mean", 0, 8.5, X / 2),
    (L2Squared, "batch_mean", 1, 17 / 3, X / 3),
    (L2Squared, "batch_mean", (0, 1), 17 / 6, X / 6),
    (L2Squared, "mean", 0, 17 / 6, X / 6),
    (L2Norm, "sum", 0, sqrt(34) / 2, X / sqrt(34) / 2),
    (L2Norm, "batch_mean", 0, 2.0, X / [[12], [20]]),
    (L2Norm, "batch_mean", 1, COLUMN_NORMS.sum() / 6, X / COLUMN_NORMS / 6),
    (L2Norm, "batch_mean", (0, 1), 1.0, SIGN / 12),
    (L2Norm, "mean", 0, sqrt(34 / 6) / 2, X / sqrt(34 * 6) / 2),
]

CODINGS = [[0.25, 0.75, 0.5], [0.75, 0.75, 0.0]]  # by column: 0.5, 0.75, 0.25; by row: 0.5, 0.5
KL_HALF = 0.25 * log(0.5) + 0.75 * log(1.5)
KL_THREE_QUARTERS = 0.5 * log(3)
SLOPES = np.array([1, 8 / 3, 0])

KL_BY_HAND = [
    ("sum", 0, KL_HALF + KL_THREE_QUARTERS, np.tile(SLOPES / 2, (2, 1))),
    ("batch_mean", 0, KL_HALF + KL_THREE_QUARTERS, np.tile(SLOPES / 2, (2, 1))),
    ("mean", 0, (KL_HALF + KL_THREE_QUARTERS) / 3, np.tile(SLOPES / 6, (2, 1))),
    ("sum", 1, 2 * KL_HALF, np.full((2, 3), 1 / 3)),
    ("mean", 1, KL_HALF, np.full((2, 3), 1 / 6)),
    ("sum", (0, 1), KL_HALF, np.full((2, 3), 1 / 6)),
]


@pytest.mark.parametrize(("kind", "reduce", "batch_axis", "value", "gradient"), BY_HAND)
def test_elements_become_one_number(xp, kind, reduce, batch_axis, value, gradient):
    penalty = kind(0.5, reduce=reduce, batch_axis=batch_axis)

    assert float(penalty(make(xp, X))) == pytest.approx(value)
    assert_allclose(numbers(penalty.gradient(make(xp, X))), gradient, rtol=1e-12)


@pytest.mark.parametrize(("reduce", "batch_axis", "value", "gradient"), KL_BY_HAND)
def test_kl_sums_over_units_and_is_never_divided_by_the_batch(
    xp, reduce, batch_axis, value, gradient
):
    penalty = KLSparsity(1.0, target=0.25, reduce=reduce, batch_axis=batch_axis)

    assert float(penalty(make(xp, CODINGS))) == pytest.approx(value)
    assert_allclose(numbers(penalty.gradient(make(xp, CODINGS))), gradient, atol=1e-14)


@pytest.mark.parametrize("mean", [0.0, 1.0])
@pytest.mark.parametrize(("beyond", "rise"), [(0.0, 1 / 3), (1.0, 5 / 3)])
def test_kl_goes_on_along_its_tangent(xp, mean, beyond, rise):
    penalty = KLSparsity(1.0, target=0.5, epsilon=0.25)
    outwards = 1 if mean else -1
    x = make(xp, [[mean + outwards * beyond]])

    assert float(penalty(x)) == pytest.approx(0.5 * log(4 / 3) + rise)
    assert_allclose(numbers(penalty.gradient(x)), [[outwards * 4 / 3]])


@pytest.mark.parametrize(
    ("reduce", "value"), [("sum", 14.5), ("batch_mean", 7.25), ("mean", 1 + 17 / 12)]
)
def test_the_elastic_net_reduces_both_parts(xp, reduce, value):
    assert float(L1L2(0.5, 0.25, reduce=reduce)(make(xp, X))) == pytest.approx(value)


@pytest.mark.parametrize(("norm", "value"), [("l1", 3.0), ("l2", 2.0), ("l2_squared", 8.5)])
def test_activity_regularization_reduces_as_the_penalty_it_names(xp, norm, value):
    penalty = ActivityRegularization(0.5, norm, reduce="batch_mean")

    assert float(penalty(make(xp, X))) == pytest.approx(value)


def test_each_part_of_a_sum_reduces_in_its_own_way(xp):
    penalty = L1(0.5, reduce="mean") + L2Norm(0.5, reduce="batch_mean") + L2Squared(0.5)

    assert float(penalty(make(xp, X))) == pytest.approx(1 + 2 + 17)
    assert_allclose(
        numbers(penalty.gradient(make(xp, X))), SIGN / 12 + X / [[12], [20]] + X, rtol=1e-12
    )


@pytest.mark.parametrize("kind", [L1, L2Norm, L2Squared])
def test_arrays_are_summed_unless_told_otherwise(xp, kind):
    by_hand = {L1: 6.0, L2Norm: sqrt(34) / 2, L2Squared: 17.0}[kind]

    assert float(kind(0.5)(make(xp, X))) == pytest.approx(by_hand)


@pytest.mark.parametrize("batch_axis", [-1, 2, (-1,), (2,)])
def test_a_negative_axis_counts_from_the_end(xp, batch_axis):
    x = make(xp, X.reshape(1, 2, 3))

    penalty = L2Norm(0.5, reduce="batch_mean", batch_axis=batch_axis)
    assert float(penalty(x)) == pytest.approx(COLUMN_NORMS.sum() / 6)


@pytest.mark.parametrize("batch_axis", [(0, 1), (1, 0), (-2, 0), (1, -3)])
def test_tokens_are_samples_under_a_tuple_of_axes(xp, batch_axis):
    tokens = make(xp, [[[3.0, 4.0], [0.0, 0.0]], [[6.0, 8.0], [0.0, 1.0]]])

    penalty = L2Norm(1.0, reduce="batch_mean", batch_axis=batch_axis)
    assert float(penalty(tokens)) == pytest.approx((5 + 0 + 10 + 1) / 4)


@pytest.mark.parametrize("reduce", [None, "sum", "batch_mean", "mean"])
@pytest.mark.parametrize("batch_axis", [None, 0, 1, -1, (0, 1)])
@pytest.mark.parametrize(("kind", "value", "slope"), [(L1, 6, -2), (L2Norm, 6, -2)])
def test_an_array_without_dimensions_is_a_batch_of_one(xp, reduce, batch_axis, kind, value, slope):
    penalty = kind(2.0, reduce=reduce, batch_axis=batch_axis)
    gradient = penalty.gradient(make(xp, -3.0))

    assert float(penalty(make(xp, -3.0))) == value
    assert gradient.shape == ()
    assert float(gradient) == slope
