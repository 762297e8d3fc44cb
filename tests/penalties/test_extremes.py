"""Arrays that are empty, tiny, huge or not finite."""

from math import inf, log, nan

import jax.numpy
import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from penalties.arrays import make, numbers
from penalties.cases import PENALTIES
from regularizers import L1, L1L2, ActivityRegularization, Hoyer, KLSparsity, L2Norm, L2Squared

FLOAT32_SIZES = [1e-45, 1e-42, 2e-38, *(10.0**n for n in range(-36, 39, 2)), 3e38]
FLOAT64_SIZES = [*(10.0**n for n in range(-300, 301, 20)), 1e-155, 1e-143, 1e147, 1e155]
SIZES = {"float32": FLOAT32_SIZES, "float64": FLOAT64_SIZES}

every_penalty = pytest.mark.parametrize("penalty", PENALTIES, ids=repr)


def is_read_as_zero(xp, dtype, size):
    """XLA on a CPU takes a subnormal number for zero."""
    return xp is jax.numpy and size < np.finfo(dtype).tiny


@pytest.mark.parametrize("dtype", SIZES)
@pytest.mark.parametrize("reduce", ["sum", "batch_mean"])
def test_the_norm_of_one_element_is_its_size(xp, dtype, reduce):
    for size in SIZES[dtype]:
        seen = 0 if is_read_as_zero(xp, dtype, size) else float(np.dtype(dtype).type(size))
        slope = 0 if seen == 0 else -0.5
        x = make(xp, [[0.0, -size]], dtype)

        assert float(L2Norm(1.0, reduce=reduce)(x)) == pytest.approx(seen, rel=1e-6, abs=0), size
        gradient = numbers(L2Norm(0.5, reduce=reduce).gradient(x))
        assert_allclose(gradient, [[0, slope]], rtol=1e-6, err_msg=str(size))


@pytest.mark.parametrize("dtype", SIZES)
def test_the_norm_of_three_and_four_is_five_at_every_size(xp, dtype):
    for size in SIZES[dtype]:
        unit = 2.0 ** np.clip(np.round(np.log2(size)), -149 if dtype == "float32" else -1000, 125)
        x = make(xp, [3 * unit, -4 * unit], dtype)

        seen = 0 if is_read_as_zero(xp, dtype, 4 * unit) else 1
        assert float(L2Norm(1.0)(x)) == pytest.approx(5 * unit * seen, rel=1e-6, abs=0), size
        gradient = numbers(L2Norm(1.0).gradient(x))
        assert_allclose(gradient, [0.6 * seen, -0.8 * seen], rtol=1e-6, err_msg=str(size))


def test_samples_of_very_different_sizes_each_have_their_own_norm(xp):
    x = make(xp, [[3e-30, 4e-30], [0.0, 0.0], [3e30, 4e30]], "float32")
    gradient = L2Norm(3.0, reduce="batch_mean").gradient(x)

    assert_allclose(numbers(gradient), [[0.6, 0.8], [0.0, 0.0], [0.6, 0.8]], rtol=1e-6)


def test_small_elements_beside_large_ones_still_count(xp):
    many = make(xp, [1.0] + [1e-4] * 10_000, "float64")

    assert float(L2Norm(1.0)(many)) == pytest.approx((1 + 1e-4) ** 0.5, rel=1e-12)


@every_penalty
def test_an_empty_array_costs_nothing(xp, penalty):
    for shape in [(0,), (0, 3), (3, 0), (2, 0, 4)]:
        value, gradient = penalty.value_and_gradient(make(xp, np.zeros(shape), "float32"))

        assert float(value) == 0, shape
        assert float(penalty(make(xp, np.zeros(shape), "float32"))) == 0, shape
        assert value.shape == (), shape
        assert tuple(gradient.shape) == shape
        assert gradient.dtype == xp.float32, shape


@pytest.mark.parametrize("make_zeros", [np.zeros, torch.zeros], ids=["numpy", "torch"])
@pytest.mark.parametrize("shape", [(0,), (0, 3), (3, 0)], ids=str)
def test_an_empty_array_applies_nothing(make_zeros, shape):
    grads = make_zeros(shape)

    assert float(L1(0.1).apply(make_zeros(shape), grads)) == 0
    assert tuple(grads.shape) == shape


@every_penalty
def test_nan_is_seen_in_the_value(xp, penalty):
    with np.errstate(invalid="ignore"):
        assert np.isnan(float(penalty(make(xp, [[0.5, nan], [0.5, 0.5]]))))


@every_penalty
def test_infinity_is_seen_in_the_value(xp, penalty):
    with np.errstate(invalid="ignore"):
        values = [float(penalty(make(xp, [[0.5, x], [0.5, 0.5]]))) for x in (inf, -inf)]

    # of infinite vectors there is neither a direction nor a ratio
    is_relative = getattr(penalty, "normalized", False) or isinstance(penalty, Hoyer)
    assert_array_equal(values, [nan, nan] if is_relative else [inf, inf])


@pytest.mark.parametrize("infinity", [inf, -inf])
def test_infinity_in_the_gradient(xp, infinity):
    x = make(xp, [1.0, infinity])
    with np.errstate(invalid="ignore"):
        l1, square, norm = (numbers(p(1.0).gradient(x)) for p in (L1, L2Squared, L2Norm))

    assert_array_equal(l1, [1, np.sign(infinity)])
    assert_array_equal(square, [2, infinity])
    assert_array_equal(norm, [0, nan])


@pytest.mark.parametrize(
    "penalty", [L1(1.0), L2Squared(1.0), L1L2(1.0, 1.0), ActivityRegularization.l1(1.0)], ids=repr
)
def test_nan_in_the_gradient_stays_in_its_place(xp, penalty):
    with np.errstate(invalid="ignore"):
        gradient = numbers(penalty.gradient(make(xp, [1.0, nan, 1.0])))

    assert_array_equal(np.isnan(gradient), [False, True, False])


def test_nan_in_the_gradient_of_kl_stays_in_its_unit(xp):
    penalty = KLSparsity(1.0, target=0.5)
    with np.errstate(invalid="ignore"):
        gradient = numbers(penalty.gradient(make(xp, [[nan, 0.25], [0.25, 0.25]])))

    assert_allclose(gradient, [[nan, -2 / 3], [nan, -2 / 3]])


def test_a_square_too_large_for_its_type_is_infinite(xp):
    with np.errstate(over="ignore"):
        assert float(L2Squared(1.0)(make(xp, [1e30], "float32"))) == inf
    assert float(L2Squared(1.0)(make(xp, [1e30]))) == pytest.approx(1e60)


# the Array API standard has no float16, and so array_api_strict has none
@pytest.mark.parametrize("xp", [np, torch, jax.numpy])
def test_half_precision_is_accumulated_in_single(xp):
    many, tiny = make(xp, [300.0] * 1000, "float16"), make(xp, [1e-4] * 1000, "float16")
    rounded = float(np.float16(1e-4))

    assert float(L1(1.0)(many)) == 300_000
    assert float(L2Squared(1.0)(many)) == pytest.approx(9e7)
    assert float(L2Squared(1.0)(tiny)) == pytest.approx(1000 * rounded**2, rel=1e-5)


@pytest.mark.parametrize("mean", [0.0, 1.0])
def test_kl_of_a_dead_and_of_a_saturated_unit_in_single_precision(xp, mean):
    penalty = KLSparsity(1.0, target=0.5)
    value, gradient = penalty.value_and_gradient(make(xp, [[mean], [mean]], "float32"))
    slope = 0.5 / 1e-6 - 0.5 / (1 - 1e-6)
    by_hand = 0.5 * log(0.5 / 1e-6) + 0.5 * log(0.5 / (1 - 1e-6)) + slope * 1e-6

    assert float(value) == pytest.approx(by_hand, rel=1e-5)
    assert_allclose(numbers(gradient), np.full((2, 1), (2 * mean - 1) * slope / 2), rtol=1e-5)
