"""Logarithms of sizes, and what lies outside of a range: beside others, and at the edges."""

from math import inf, log, nan

import jax
import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from penalties.arrays import make, numbers
from penalties.test_autograd import leaf
from penalties.test_masks import boolean
from regularizers import L1, Hinge, LogSum

X = [[0.3, -0.8, 1.5], [0.0, -0.0, 2.0]]
OVER, UNDER = Hinge(0.5, above=10.0), Hinge(0.5, below=-1.0)


@pytest.mark.parametrize("reduce", ["sum", "batch_mean", "mean"])
def test_a_range_of_one_number_is_l1(xp, reduce):
    value, gradient = Hinge(0.5, above=0, below=0, reduce=reduce).value_and_gradient(make(xp, X))
    expected = L1(0.5, reduce=reduce).value_and_gradient(make(xp, X))

    assert float(value) == float(expected[0])
    assert_array_equal(numbers(gradient), numbers(expected[1]))


@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_above_a_bound_it_is_the_hinge_loss_of_torch(reduction):
    x = leaf(X)
    loss = torch.nn.functional.hinge_embedding_loss(
        x, -torch.ones_like(x), margin=0.5, reduction=reduction
    )  # max(0, margin − x)
    loss.backward()
    value, gradient = Hinge(1.0, below=0.5, reduce=reduction).value_and_gradient(x.detach())

    assert value.item() == pytest.approx(loss.item(), rel=1e-14)
    assert_allclose(numbers(gradient), numbers(x.grad), rtol=1e-14)


@pytest.mark.parametrize(
    ("penalty", "at"), [(OVER, 10.0), (UNDER, -1.0), (Hinge(0.5, above=10, below=10), 10.0)]
)
def test_at_the_bound_nothing_pulls_by_any_means(penalty, at):
    by_torch = leaf([at])
    penalty(by_torch).backward()
    by_jax = jax.grad(penalty)(jax.numpy.asarray([at]))

    assert float(penalty(np.array([at]))) == 0
    for gradient in (penalty.gradient(np.array([at])), by_torch.grad, by_jax):
        assert_array_equal(numbers(gradient), [0])


def test_the_least_step_beyond_a_bound_pulls(xp):
    above = np.nextafter(np.float32(10), np.float32(11))

    assert numbers(OVER.gradient(make(xp, [above], "float32"))).tolist() == [0.5]


@pytest.mark.parametrize(
    ("penalty", "x", "value", "gradient"),
    [
        (OVER, [inf, 0.0], inf, [0.5, 0]),
        (OVER, [-inf, 0.0], 0.0, [0, 0]),
        (UNDER, [-inf, 0.0], inf, [-0.5, 0]),
        (UNDER, [inf, 0.0], 0.0, [0, 0]),
        (OVER, [nan, 11.0], nan, [nan, 0.5]),
        (LogSum(0.5, 1.0), [inf, 0.0], inf, [0, 0]),
        (LogSum(0.5, 1.0), [nan, 1.0], nan, [nan, 0.25]),
    ],
    ids=repr,
)
def test_what_is_not_finite_passes_through(xp, penalty, x, value, gradient):
    with np.errstate(invalid="ignore"):
        found, slope = penalty.value_and_gradient(make(xp, x))

    assert_array_equal(float(found), value)
    assert_array_equal(numbers(slope), gradient)


@pytest.mark.parametrize("reduce", ["sum", "batch_mean", "mean"])
def test_zeros_behind_a_mask_cost_nothing_where_0_is_outside(xp, reduce):
    penalty = Hinge(0.5, below=2.0, reduce=reduce)
    x, mask = make(xp, [[1.0, nan], [nan, inf]]), boolean(xp, [[True, False], [False, False]])

    assert float(penalty(x, mask=mask)) == 0.5
    assert_array_equal(numbers(penalty.gradient(x, mask=mask)), [[-0.5, 0], [0, 0]])


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_in_every_precision(dtype):
    x = torch.tensor([300.0, -0.25, 0.0, 5.0]).to(getattr(torch, dtype))
    for penalty, value, gradient in [
        (OVER, 145.0, [0.5, 0, 0, 0]),
        (LogSum(1.0, 0.25), log(1201) + log(2) + log(21), [1 / 300.25, -2, 0, 1 / 5.25]),
    ]:
        found, slope = penalty.value_and_gradient(x)
        rtol = max(torch.finfo(x.dtype).eps, 1e-15)

        assert float(found) == pytest.approx(value, rel=1e-6)
        assert slope.dtype == x.dtype
        assert_allclose(numbers(slope), gradient, rtol=rtol)


@pytest.mark.parametrize("size", [1e-30, 1e-12, 1e-3, 1.0, 1e3, 1e12, 1e30])
def test_a_logarithm_is_right_at_every_size(xp, size):
    value, gradient = LogSum(1.0, 0.5).value_and_gradient(make(xp, [-size], "float32"))

    assert float(value) == pytest.approx(np.log1p(2 * size), rel=1e-6)
    assert_allclose(numbers(gradient), [-1 / (0.5 + size)], rtol=1e-6)


def test_a_logarithm_of_a_large_epsilon_is_nearly_l1(xp):
    assert float(LogSum(0.5e9, 1e9)(make(xp, X))) == pytest.approx(float(L1(0.5)(make(xp, X))))


def test_one_step_of_the_gradient_is_the_reweighted_l1():
    x = np.random.default_rng(0).standard_normal(20)
    weights = 1 / (0.1 + np.abs(x))

    assert_allclose(LogSum(0.3, 0.1).gradient(x), 0.3 * weights * np.sign(x), rtol=1e-14)


def test_second_derivatives_of_a_logarithm():
    x = [0.0, 0.5, -2.0]
    penalty, expected = LogSum(2.0, 0.5), [0, -2.0, -2 / 2.5**2]
    for function in (penalty, lambda x: penalty.gradient(x).sum()):
        by_torch = leaf(x)
        (slope,) = torch.autograd.grad(function(by_torch), by_torch, create_graph=True)
        if function is penalty:
            (slope,) = torch.autograd.grad(slope.sum(), by_torch)
        assert_allclose(numbers(slope), np.abs(expected) * np.sign(expected), rtol=1e-14)


def test_empty_arrays(xp):
    for penalty in (OVER, LogSum(0.5, 1.0), Hinge(0.5, below=2.0)):
        value, gradient = penalty.value_and_gradient(make(xp, np.zeros((0, 3))))

        assert float(value) == 0
        assert gradient.shape == (0, 3)
