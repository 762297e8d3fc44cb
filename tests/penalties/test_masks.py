"""A mask selects and counts; what it leaves out may be anything."""

from math import inf, log, nan, sqrt

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from penalties.arrays import make, numbers
from penalties.cases import PENALTIES
from regularizers import L1, KLSparsity, L2Norm, L2Squared

PADDED = [[2.0, -1.0, 2.0], [nan, inf, -inf]]
ROWS = [True, False]

SCATTERED = [[2.0, -1.0, nan], [nan, 0.0, nan]]
ELEMENTS = [[True, True, False], [False, True, False]]

BY_ROWS = [
    (L1(0.5, reduce="sum"), 2.5, [[0.5, -0.5, 0.5], [0, 0, 0]]),
    (L1(0.5, reduce="batch_mean"), 2.5, [[0.5, -0.5, 0.5], [0, 0, 0]]),
    (L1(0.5, reduce="mean"), 2.5 / 3, [[1 / 6, -1 / 6, 1 / 6], [0, 0, 0]]),
    (L2Squared(0.5, reduce="sum"), 4.5, [[2, -1, 2], [0, 0, 0]]),
    (L2Squared(0.5, reduce="batch_mean"), 4.5, [[2, -1, 2], [0, 0, 0]]),
    (L2Squared(0.5, reduce="mean"), 1.5, [[2 / 3, -1 / 3, 2 / 3], [0, 0, 0]]),
    (L2Norm(0.5, reduce="sum"), 1.5, [[1 / 3, -1 / 6, 1 / 3], [0, 0, 0]]),
    (L2Norm(0.5, reduce="batch_mean"), 1.5, [[1 / 3, -1 / 6, 1 / 3], [0, 0, 0]]),
    (L2Norm(0.5, reduce="mean"), sqrt(3) / 2, np.array([[2, -1, 2], [0, 0, 0]]) / sqrt(108)),
]

BY_ELEMENTS = [
    (L1(0.5, reduce="sum"), 1.5, [[0.5, -0.5, 0], [0, 0, 0]]),
    (L1(0.5, reduce="batch_mean"), 0.75, [[0.25, -0.25, 0], [0, 0, 0]]),
    (L1(0.5, reduce="mean"), 0.5, [[1 / 6, -1 / 6, 0], [0, 0, 0]]),
    (L2Squared(0.5, reduce="batch_mean"), 1.25, [[1, -0.5, 0], [0, 0, 0]]),
    (L2Norm(0.5, reduce="sum"), sqrt(5) / 2, np.array([[2, -1, 0], [0, 0, 0]]) / sqrt(20)),
    (L2Norm(0.5, reduce="batch_mean"), sqrt(5) / 4, np.array([[2, -1, 0], [0, 0, 0]]) / sqrt(80)),
    (L2Norm(0.5, reduce="mean"), sqrt(5 / 3) / 2, np.array([[2, -1, 0], [0, 0, 0]]) / sqrt(60)),
]


def boolean(xp, values):
    return xp.asarray(values, dtype=xp.bool if hasattr(xp, "bool") else bool)


@pytest.mark.parametrize(("penalty", "value", "gradient"), BY_ROWS, ids=repr)
def test_a_mask_over_the_leading_axis(xp, penalty, value, gradient):
    x, mask = make(xp, PADDED), boolean(xp, ROWS)

    assert float(penalty(x, mask=mask)) == pytest.approx(value)
    assert_allclose(numbers(penalty.gradient(x, mask=mask)), gradient, rtol=1e-12)


@pytest.mark.parametrize(("penalty", "value", "gradient"), BY_ELEMENTS, ids=repr)
def test_a_mask_over_every_axis(xp, penalty, value, gradient):
    x, mask = make(xp, SCATTERED), boolean(xp, ELEMENTS)

    assert float(penalty(x, mask=mask)) == pytest.approx(value)
    assert_allclose(numbers(penalty.gradient(x, mask=mask)), gradient, rtol=1e-12)


@pytest.mark.parametrize(("reduce", "live_units"), [("sum", 1), ("batch_mean", 1), ("mean", 2)])
def test_kl_averages_each_unit_over_its_own_valid_samples(xp, reduce, live_units):
    penalty = KLSparsity(1.0, target=0.5, reduce=reduce)
    x = make(xp, [[0.25, 0.0, nan], [nan, 1.0, nan]])  # means 0.25 of one, 0.5 of two, none
    mask = boolean(xp, ELEMENTS)
    by_hand = np.array([[0.5 / 0.75 - 0.5 / 0.25, 0, 0], [0, 0, 0]]) / live_units

    assert float(penalty(x, mask=mask)) == pytest.approx(0.5 * log(4 / 3) / live_units)
    assert_allclose(numbers(penalty.gradient(x, mask=mask)), by_hand, atol=1e-14)


@pytest.mark.parametrize("penalty", PENALTIES, ids=repr)
def test_all_false_is_zero_with_no_gradient(xp, penalty):
    value, gradient = penalty.value_and_gradient(
        make(xp, [[nan, inf], [-inf, 1.0]]), mask=boolean(xp, [False, False])
    )

    assert float(value) == 0
    assert_array_equal(numbers(gradient), np.zeros((2, 2)))


@pytest.mark.parametrize("penalty", PENALTIES, ids=repr)
def test_a_padded_batch_costs_what_the_batch_without_padding_costs(xp, penalty):
    rows = [[0.5, -0.25, 0.125], [0.75, 0.0, 0.5]]
    padded = make(xp, [rows[0], [nan] * 3, rows[1], [inf] * 3])
    mask = boolean(xp, [True, False, True, False])
    value, gradient = penalty.value_and_gradient(padded, mask=mask)
    short_value, short_gradient = penalty.value_and_gradient(make(xp, rows))

    assert float(value) == pytest.approx(float(short_value), rel=1e-12)
    assert_allclose(numbers(gradient)[[0, 2]], numbers(short_gradient), rtol=1e-12)
    assert_array_equal(numbers(gradient)[[1, 3]], np.zeros((2, 3)))


@pytest.mark.parametrize(
    ("penalty", "value"),
    [
        (L2Norm(1.0, reduce="batch_mean", batch_axis=(0, 1)), (5 + 10 + 1) / 3),
        (L2Norm(1.0, reduce="batch_mean"), (5 + sqrt(101)) / 2),
        (L1(1.0, reduce="batch_mean", batch_axis=(0, 1)), (7 + 14 + 1) / 3),
        (L1(1.0, reduce="mean"), (7 + 14 + 1) / 6),
    ],
    ids=repr,
)
def test_a_mask_over_tokens(xp, penalty, value):
    tokens = make(xp, [[[3.0, 4.0], [nan, nan]], [[6.0, 8.0], [0.0, 1.0]]])
    mask = boolean(xp, [[True, False], [True, True]])

    assert float(penalty(tokens, mask=mask)) == pytest.approx(value)


@pytest.mark.parametrize(("valid", "value", "slope"), [(True, 6.0, -2.0), (False, 0.0, 0.0)])
@pytest.mark.parametrize("reduce", ["sum", "batch_mean", "mean"])
def test_a_mask_of_no_dimensions(xp, valid, value, slope, reduce):
    x, mask = make(xp, -3.0), boolean(xp, valid)

    assert float(L1(2.0, reduce=reduce)(x, mask=mask)) == value
    assert float(L2Norm(2.0, reduce=reduce).gradient(x, mask=mask)) == slope


@pytest.mark.parametrize("penalty", PENALTIES, ids=repr)
def test_apply_leaves_the_gradient_of_masked_elements_alone(penalty):
    x, mask = np.array([[0.5, 0.25], [nan, nan]]), np.array([True, False])
    grads = np.full((2, 2), 7.0)

    penalty.apply(x, grads, mask=mask)
    assert_allclose(grads[0], 7 + penalty.gradient(x[:1])[0], rtol=1e-12)
    assert_array_equal(grads[1], [7.0, 7.0])
