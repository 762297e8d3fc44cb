"""Properties of every penalty on every array."""

import jax
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from penalties import oracle
from penalties.arrays import numbers
from penalties.cases import ORTHOGONAL, PENALTIES
from penalties.strategies import EIGHTHS, LAYOUTS, arrays, as_torch, laid_out
from regularizers import Hoyer, KLSparsity, Orthogonal

with_profile = settings.get_profile("penalties")
libraries = pytest.mark.parametrize("convert", [np.asarray, as_torch], ids=["numpy", "torch"])
layouts = st.sampled_from(LAYOUTS)

# the gradient of Hoyer cancels to 0 where elements are alike, see test_hoyer
ELSEWHERE = (KLSparsity, Orthogonal, Hoyer)
SEPARABLE_OR_NORM = [p for p in PENALTIES if not isinstance(p, ELSEWHERE)]
DIVERGENCES = [p for p in PENALTIES if isinstance(p, KLSparsity)]


def dtype_name(array):
    return str(array.dtype).removeprefix("torch.")


def limits_of_accumulation(dtype):
    return np.finfo("float64" if dtype == "float64" else "float32")


def assert_close_in(dtype, actual, expected):
    """Assert equality up to the rounding of `dtype`, and to what overflows or underflows in it.

    Beside a large element, the float64 of the formula itself underflows at the tiny ones.
    """
    limits = np.finfo(dtype)
    with np.errstate(over="ignore", under="ignore"):
        expected = np.asarray(expected).astype(dtype).astype("float64")
    largest = np.abs(expected[np.isfinite(expected)]).max(initial=0)
    floor = 256 * float(limits.smallest_subnormal) + 1e-20 * largest
    assert_allclose(actual, expected, rtol=32 * float(limits.eps), atol=floor)


def assert_agrees_with_the_formula(penalty, x, values):
    with np.errstate(over="ignore", under="ignore"):
        value, gradient = penalty.value_and_gradient(x)
    by_formula = oracle.value_and_gradient(penalty, values)
    dtype = dtype_name(x)

    assert_close_in(limits_of_accumulation(dtype).dtype, numbers(value), by_formula[0])
    assert_close_in(dtype, numbers(gradient), by_formula[1])
    assert_array_equal(numbers(penalty(x)), numbers(value))


@libraries
@settings(with_profile, max_examples=250)
@given(penalty=st.sampled_from(SEPARABLE_OR_NORM), values=arrays(), layout=layouts)
def test_value_and_gradient_are_those_of_the_formula(convert, penalty, values, layout):
    assert_agrees_with_the_formula(penalty, convert(laid_out(values, layout)), values)


@libraries
@with_profile
@given(penalty=st.sampled_from(DIVERGENCES), values=arrays(elements=EIGHTHS), layout=layouts)
def test_kl_and_its_gradient_are_those_of_the_formula(convert, penalty, values, layout):
    x = convert(laid_out(values, layout))
    with np.errstate(over="ignore"):
        value, gradient = penalty.value_and_gradient(x)
    by_formula = oracle.value_and_gradient(penalty, values)
    eps = float(limits_of_accumulation(dtype_name(x)).eps)
    # near the poles the slope is 1e6, and multiplies the rounding of the mean
    steepness = np.abs(by_formula[1] * np.maximum(1, np.abs(values.astype("float64")))).sum()
    rounding = max(64 * eps, 2 * float(np.finfo(values.dtype).eps))

    assert float(value) == pytest.approx(by_formula[0], rel=64 * eps, abs=eps * (8 + steepness))
    with np.errstate(over="ignore"):
        expected = by_formula[1].astype(values.dtype).astype("float64")
    assert_allclose(numbers(gradient), expected, rtol=rounding, atol=rounding)


@libraries
@with_profile
@given(
    penalty=st.sampled_from(ORTHOGONAL),
    values=arrays(dtypes=["float32", "float64"], elements=EIGHTHS),
    layout=layouts,
)
def test_orthogonality_and_its_gradient_are_those_of_the_formula(convert, penalty, values, layout):
    value, gradient = penalty.value_and_gradient(convert(laid_out(values, layout)))
    by_formula = oracle.value_and_gradient(penalty, values)
    eps = float(np.finfo(values.dtype).eps)

    assert float(value) == pytest.approx(by_formula[0], rel=64 * eps, abs=64 * eps)
    largest = np.abs(by_formula[1]).max()
    # where a product is 0 but for its rounding, so is the sign of it
    if not penalty.normalized:
        assert_allclose(numbers(gradient), by_formula[1], atol=64 * eps * max(largest, 1))


@pytest.mark.parametrize("penalty", PENALTIES, ids=repr)
@pytest.mark.parametrize("shape", [(), (5,), (3, 4), (2, 3, 2)], ids=str)
@pytest.mark.parametrize("library", ["torch", "jax"])
def test_bfloat16_is_accumulated_in_single(penalty, shape, library):
    generator = torch.Generator().manual_seed(len(shape))
    x = torch.rand(shape, generator=generator).to(torch.bfloat16)
    by_formula = oracle.value_and_gradient(penalty, numbers(x))
    if library == "jax":
        x = jax.numpy.asarray(numbers(x), dtype=jax.numpy.bfloat16)
    value, gradient = penalty.value_and_gradient(x)

    assert float(value) == pytest.approx(by_formula[0], rel=1e-5, abs=1e-6)
    assert dtype_name(value) == "float32"
    assert dtype_name(gradient) == "bfloat16"
    assert_allclose(numbers(gradient), by_formula[1], rtol=2**-8, atol=1e-6)


@libraries
@with_profile
@given(penalty=st.sampled_from(PENALTIES), values=arrays(elements=EIGHTHS), layout=layouts)
def test_types_and_shapes(convert, penalty, values, layout):
    x = convert(laid_out(values, layout))
    value, gradient = penalty.value_and_gradient(x)

    assert tuple(value.shape) == tuple(penalty(x).shape) == ()
    assert tuple(gradient.shape) == values.shape
    assert gradient.dtype == x.dtype == penalty.gradient(x).dtype
    assert dtype_name(value) == dtype_name(penalty(x))
    assert dtype_name(value) == limits_of_accumulation(dtype_name(x)).dtype.name


@libraries
@with_profile
@given(
    penalty=st.sampled_from(PENALTIES),
    values=arrays(dtypes=["float64"], elements=EIGHTHS),
    factor=st.floats(0, 1e6),
)
def test_value_and_gradient_are_linear_in_the_strength(convert, penalty, values, factor):
    x = convert(values)
    value, gradient = (factor * penalty).value_and_gradient(x)
    unit_value, unit_gradient = penalty.value_and_gradient(x)

    assert_allclose(numbers(value), factor * numbers(unit_value), rtol=1e-12, atol=1e-300)
    assert_allclose(numbers(gradient), factor * numbers(unit_gradient), rtol=1e-12, atol=1e-300)


@libraries
@with_profile
@given(
    one=st.sampled_from(PENALTIES),
    other=st.sampled_from(PENALTIES),
    values=arrays(dtypes=["float64"], elements=EIGHTHS),
)
def test_the_gradient_of_a_sum_is_the_sum_of_gradients(convert, one, other, values):
    x = convert(values)
    value, gradient = (one + other).value_and_gradient(x)

    assert_allclose(numbers(value), numbers(one(x)) + numbers(other(x)), rtol=1e-12)
    parts = numbers(one.gradient(x)), numbers(other.gradient(x))
    largest = np.maximum(np.abs(parts[0]), np.abs(parts[1])).max()
    assert_allclose(numbers(gradient), sum(parts), rtol=1e-12, atol=1e-14 * largest)


@libraries
@with_profile
@given(
    penalty=st.sampled_from(PENALTIES),
    values=arrays(elements=EIGHTHS),
    x_layout=layouts,
    grads_layout=layouts,
)
def test_apply_adds_the_gradient_and_returns_the_value(
    convert, penalty, values, x_layout, grads_layout
):
    x = convert(laid_out(values, x_layout))
    before = np.arange(values.size, dtype=values.dtype).reshape(values.shape)
    grads = convert(laid_out(before, grads_layout))
    value, gradient = penalty.value_and_gradient(x)
    with np.errstate(over="ignore"):
        expected = (before + numbers(gradient).astype(values.dtype)).astype("float64")

    assert float(penalty.apply(x, grads)) == float(value)
    assert_array_equal(numbers(grads), expected)


@libraries
@with_profile
@given(penalty=st.sampled_from(PENALTIES), values=arrays(), layout=layouts)
def test_no_method_writes_into_the_array(convert, penalty, values, layout):
    values.flat[0] = np.nan
    x = convert(laid_out(values, layout))
    before = numbers(x).tobytes()
    with np.errstate(all="ignore"):
        penalty(x)
        penalty.gradient(x)
        penalty.value_and_gradient(x)
        penalty.apply(x, convert(np.zeros_like(values)))

    assert numbers(x).tobytes() == before
    assert getattr(x, "_version", 0) == 0


@pytest.mark.parametrize("penalty", PENALTIES, ids=repr)
def test_an_array_that_cannot_be_written_can_be_read(penalty):
    x = np.broadcast_to(np.array([0.25, 0.5]), (3, 2))
    by_formula = oracle.value_and_gradient(penalty, x)
    grads = np.zeros((3, 2))

    assert float(penalty.apply(x, grads)) == pytest.approx(by_formula[0])
    assert_allclose(grads, by_formula[1], rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("penalty", PENALTIES, ids=repr)
@pytest.mark.parametrize(("low", "high"), [("float16", "float32"), ("float32", "float64")])
@pytest.mark.parametrize("library", [np, torch], ids=["numpy", "torch"])
def test_a_wider_gradient_is_added_before_it_is_rounded(penalty, low, high, library):
    thirds = np.array([[0.3, 0.7], [0.6, 0.2]]).astype(low)
    x = library.asarray(thirds)
    grads = library.zeros((2, 2), dtype=getattr(library, high))
    penalty.apply(x, grads)

    by_formula = oracle.value_and_gradient(penalty, thirds)[1]
    assert_allclose(numbers(grads), by_formula, rtol=1e-6, atol=1e-7)
