"""The ratio of norms: between 1 and n, whatever the scale."""

from math import inf, nan

import array_api_compat.torch as library
import jax
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from torch import nn

import regularizers as rz
from penalties import oracle
from penalties.arrays import make, numbers
from penalties.strategies import EIGHTHS, LAYOUTS, arrays, as_torch, laid_out
from penalties.test_autograd import leaf
from penalties.test_masks import boolean
from regularizers import Hoyer

with_profile = settings.get_profile("penalties")
RANDOM = np.random.default_rng(0).standard_normal((6, 5))
REDUCTIONS = ["sum", "batch_mean", "mean"]


def relative(x):
    """Return ‖x‖₁² / ‖x‖₂² by NumPy's norms."""
    return np.linalg.norm(x.ravel(), 1) ** 2 / np.linalg.norm(x.ravel()) ** 2


@pytest.mark.parametrize("n", [1, 2, 7, 1000])
def test_it_is_1_for_one_element_and_n_for_n_alike(xp, n):
    alone = np.zeros(n)
    alone[n // 2] = -3.0

    assert float(Hoyer(1.0)(make(xp, alone))) == pytest.approx(1, rel=1e-14)
    assert float(Hoyer(1.0)(make(xp, np.full(n, -0.3)))) == pytest.approx(n, rel=1e-12)


def test_each_reduction_by_the_norms_of_numpy(xp):
    x = make(xp, RANDOM)
    each = np.mean([relative(sample) for sample in RANDOM])

    assert float(Hoyer(1.0)(x)) == pytest.approx(relative(RANDOM))
    assert float(Hoyer(1.0, reduce="batch_mean")(x)) == pytest.approx(each)
    assert float(Hoyer(1.0, reduce="mean")(x)) == pytest.approx(relative(RANDOM) / 30)
    assert float(Hoyer(1.0, reduce="batch_mean", batch_axis=1)(x)) == pytest.approx(
        np.mean([relative(unit) for unit in RANDOM.T])
    )


@pytest.mark.parametrize("reduce", REDUCTIONS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("exponent", [-32, -18, 18, 34])
def test_scale_changes_no_value_and_divides_the_gradient(xp, reduce, dtype, exponent):
    scale = 10.0 ** (exponent * (8 if dtype == "float64" else 1))
    penalty, x = Hoyer(1.0, reduce=reduce), RANDOM.astype(dtype)
    value, gradient = penalty.value_and_gradient(make(xp, x, dtype))
    scaled_value, scaled = penalty.value_and_gradient(make(xp, x * x.dtype.type(scale), dtype))
    rtol = 1e-5 if dtype == "float32" else 1e-12

    assert float(scaled_value) == pytest.approx(float(value), rel=rtol)
    by_scale, largest = numbers(scaled) * scale, np.abs(numbers(gradient)).max()
    assert_allclose(by_scale, numbers(gradient), rtol=rtol, atol=10 * rtol * largest)


@pytest.mark.parametrize("reduce", REDUCTIONS)
@pytest.mark.parametrize("size", [1e-300, 1e-155, 1e155, 1e300])
def test_autograd_through_the_value_at_every_size(reduce, size):
    penalty, x = Hoyer(1.0, reduce=reduce), leaf(RANDOM * size)
    penalty(x).backward()
    expected = oracle.value_and_gradient(penalty, RANDOM)[1]
    with jax.enable_x64(True):
        by_jax = jax.grad(penalty)(jax.numpy.asarray(RANDOM * size))

    assert_allclose(numbers(x.grad) * size, expected, rtol=1e-10, atol=1e-12)
    assert_allclose(numbers(by_jax) * size, expected, rtol=1e-10, atol=1e-12)


def test_many_elements_of_the_largest_size_do_not_overflow(xp):
    assert float(Hoyer(1.0)(make(xp, np.full(1000, 3e38), "float32"))) == pytest.approx(
        1000, rel=1e-4
    )


@pytest.mark.parametrize("reduce", REDUCTIONS)
def test_the_gradient_is_orthogonal_to_the_array(reduce):
    assert abs((Hoyer(1.0, reduce=reduce).gradient(RANDOM) * RANDOM).sum()) < 1e-12


@pytest.mark.parametrize("convert", [np.asarray, as_torch], ids=["numpy", "torch"])
@with_profile
@given(
    reduce=st.sampled_from(REDUCTIONS),
    values=arrays(elements=EIGHTHS),
    layout=st.sampled_from(LAYOUTS),
)
def test_value_and_gradient_are_those_of_the_formula(convert, reduce, values, layout):
    penalty = Hoyer(0.5, reduce=reduce)
    value, gradient = penalty.value_and_gradient(convert(laid_out(values, layout)))
    by_formula = oracle.value_and_gradient(penalty, values)
    eps = float(np.finfo("float64" if values.dtype == "float64" else "float32").eps)
    # the gradient is a difference of two parts as large as this
    rows = values.reshape(len(values), -1) if values.ndim and reduce == "batch_mean" else values
    norms = np.sqrt(np.square(rows.astype("float64")).sum(axis=-1 if rows is not values else None))
    part = 2 * np.sqrt(values.size) / np.where(norms == 0, 1, norms).min()

    assert float(value) == pytest.approx(by_formula[0], rel=64 * eps)
    rounding = 2 * float(np.finfo(values.dtype).eps)
    assert_allclose(numbers(gradient), by_formula[1], rtol=rounding, atol=64 * eps * part)


@pytest.mark.parametrize("reduce", REDUCTIONS)
def test_zeros_have_no_value_and_no_gradient(xp, reduce):
    value, gradient = Hoyer(1.0, reduce=reduce).value_and_gradient(make(xp, [[0.0, -0.0]] * 3))

    assert float(value) == 0
    assert_array_equal(numbers(gradient), np.zeros((3, 2)))


def test_a_sample_of_zeros_counts_as_0(xp):
    penalty = Hoyer(1.0, reduce="batch_mean")
    value, gradient = penalty.value_and_gradient(make(xp, [[3.0, 3.0], [0.0, 0.0]]))

    assert float(value) == pytest.approx(1)
    assert_allclose(numbers(gradient), np.zeros((2, 2)), atol=1e-15)


@pytest.mark.parametrize("reduce", REDUCTIONS)
def test_a_mask_leaves_out_elements(xp, reduce):
    penalty = Hoyer(1.0, reduce=reduce)
    x, mask = [[3.0, nan, -4.0], [nan, inf, nan]], [[True, False, True], [False, False, False]]
    value, gradient = penalty.value_and_gradient(make(xp, x), mask=boolean(xp, mask))
    expected = penalty.value_and_gradient(make(xp, [[3.0, -4.0]]))

    assert float(value) == pytest.approx(float(expected[0]))
    assert_allclose(numbers(gradient)[0, [0, 2]], numbers(expected[1])[0], rtol=1e-12)
    assert_array_equal(numbers(gradient)[~np.array(mask)], 0)


@pytest.mark.parametrize("odd", [nan, inf])
@pytest.mark.parametrize("reduce", REDUCTIONS)
def test_what_is_not_finite_is_seen(xp, odd, reduce):
    with np.errstate(invalid="ignore"):
        assert np.isnan(float(Hoyer(1.0, reduce=reduce)(make(xp, [[1.0, odd], [1.0, 2.0]]))))


@pytest.mark.parametrize("reduce", REDUCTIONS)
@pytest.mark.parametrize("shape", [(), (0,), (0, 3), (3, 0), (1,)], ids=str)
def test_arrays_of_few_elements(xp, reduce, shape):
    value, gradient = Hoyer(0.5, reduce=reduce).value_and_gradient(make(xp, np.full(shape, -2.0)))

    assert float(value) == pytest.approx(0.5 if np.prod(shape) else 0)
    assert_allclose(numbers(gradient), np.zeros(shape), atol=1e-15)


@pytest.mark.parametrize("reduce", ["sum", "mean"])
@pytest.mark.parametrize("sizes", [(1, 1), (1e-30, 1e-30), (1e30, 1e30), (1, 1e-18)], ids=str)
def test_parts_of_a_batch_join(reduce, sizes):
    """Each part has a scale of its own."""
    penalty = Hoyer(1.0, reduce=reduce)
    whole = np.concatenate([RANDOM[:2] * sizes[0], RANDOM[2:] * sizes[1], np.zeros((1, 5))])
    x = torch.tensor(whole, dtype=torch.float32)
    parts = [x[:2], x[2:6], x[6:]]
    frames = [penalty.frame(library, part, None) for part in parts]
    statistics = [penalty.statistic(p, f)[0] for p, f in zip(parts, frames, strict=True)]
    joined = penalty.from_sum(sum(penalty.to_sum(s, library) for s in statistics), library)
    count = None if reduce == "sum" else float(x.numel())
    value = penalty.value(joined.to(torch.float32), count, library)

    assert value.item() == pytest.approx(relative(whole) / (count or 1), rel=1e-5)


@pytest.mark.parametrize("delivery", ["collect", "inject"])
@pytest.mark.parametrize("reduce", REDUCTIONS)
def test_both_deliveries(delivery, reduce):
    model = nn.Sequential(nn.Linear(4, 5), nn.ReLU()).double()
    reg = rz.Regularization(
        model, [rz.activity(Hoyer(0.3, reduce=reduce), where="1")], delivery=delivery
    )
    x = torch.randn(6, 4, dtype=torch.float64)
    output = model(x)
    loss = output.sum()
    (reg.scale_from(loss) if delivery == "inject" else loss + reg.penalty()).backward()
    found = model[0].weight.grad.clone()
    output = model.eval()(x)
    by_hand = output.sum() + oracle.plain(Hoyer(0.3, reduce=reduce), output)
    (expected,) = torch.autograd.grad(by_hand, model[0].weight)

    assert_allclose(found.numpy(), expected.numpy(), rtol=1e-10, atol=1e-12)


def test_it_falls_where_the_metric_rises():
    x = torch.tensor(RANDOM)
    metric = rz.monitor.HoyerSparsity()
    metric.update(x)
    ratios = np.array([relative(sample) for sample in RANDOM])

    expected = np.mean((np.sqrt(5) - np.sqrt(ratios)) / (np.sqrt(5) - 1))
    assert metric.value() == pytest.approx(expected, rel=1e-6)
