"""The analytic gradient is the derivative of the plain formula, and p(x) can be differentiated."""

import jax
import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from penalties.arrays import numbers
from penalties.cases import OPTIONED, ORTHOGONAL, PENALTIES, kinds
from penalties.oracle import value_and_gradient
from regularizers import L1, KLSparsity, L2Norm

SIGNED = np.array([[0.3, -0.8, 1.5, 0.4], [-1.1, 0.6, 0.7, -0.2], [2.0, 0.9, -0.6, 0.5]])
CODINGS = np.array([[0.3, 0.8, 0.15, 0.4], [0.1, 0.6, 0.7, 0.2], [0.25, 0.9, 0.6, 0.5]])
KINKS = np.array([[0.0, -0.0, 0.0, 0.0], [0.0, 0.5, -2.0, 0.0], [0.0, 1.0, 0.0, -0.0]])
POINTS = {"signed": SIGNED, "codings": CODINGS, "kinks": KINKS, "zeros": np.zeros((3, 4))}
MASK = [[True, True, False, False], [True, False, True, False], [False, True, True, False]]

every_penalty = pytest.mark.parametrize("penalty", PENALTIES + OPTIONED, ids=repr)
smooth_point = pytest.mark.parametrize("point", [SIGNED, CODINGS], ids=["signed", "codings"])


def leaf(values):
    return torch.tensor(values, dtype=torch.float64, requires_grad=True)


@every_penalty
@smooth_point
def test_torch_differentiates_the_value_twice(penalty, point):
    assert torch.autograd.gradcheck(penalty, leaf(point))
    assert torch.autograd.gradgradcheck(penalty, leaf(point))


@every_penalty
def test_torch_differentiates_the_masked_value_twice(penalty):
    mask = torch.tensor(MASK)

    assert torch.autograd.gradcheck(lambda x: penalty(x, mask=mask), leaf(CODINGS))
    assert torch.autograd.gradgradcheck(lambda x: penalty(x, mask=mask), leaf(CODINGS))


@every_penalty
@smooth_point
def test_torch_differentiates_the_analytic_gradient(penalty, point):
    assert torch.autograd.gradcheck(penalty.gradient, leaf(point))


@every_penalty
def test_the_gradient_is_that_of_the_plain_formula(penalty):
    for name, point in POINTS.items():
        value, gradient = value_and_gradient(penalty, point)

        assert float(penalty(point)) == pytest.approx(value, rel=1e-12), name
        assert_allclose(penalty.gradient(point), gradient, rtol=1e-11, atol=1e-14, err_msg=name)


@every_penalty
def test_torch_through_the_value_is_that_of_the_plain_formula(penalty):
    for name, point in POINTS.items():
        x, (_, gradient) = leaf(point), value_and_gradient(penalty, point)
        penalty(x).backward()

        assert_allclose(numbers(x.grad), gradient, rtol=1e-11, atol=1e-14, err_msg=name)


@pytest.mark.parametrize("penalty", PENALTIES, ids=repr)
@pytest.mark.parametrize("point", POINTS.values(), ids=POINTS.keys())
def test_jax_through_the_value_is_that_of_the_plain_formula(penalty, point):
    expected = value_and_gradient(penalty, point)[1]
    with jax.enable_x64(True):
        derivative = jax.grad(penalty)
        x = jax.numpy.asarray(point)

        assert_allclose(numbers(derivative(x)), expected, rtol=1e-11, atol=1e-14)
        assert_allclose(numbers(penalty.gradient(x)), expected, rtol=1e-11, atol=1e-14)


def test_jax_by_hand_at_the_kink_of_l1():
    derivative = jax.grad(L1(0.5))

    assert derivative(jax.numpy.asarray([1.0, -2.0, 0.0, -0.0])).tolist() == [0.5, -0.5, 0, 0]


@pytest.mark.parametrize("penalty", PENALTIES, ids=repr)
def test_jax_compiles_the_gradient_both_ways(penalty):
    by_formula = value_and_gradient(penalty, SIGNED)
    with jax.enable_x64(True):
        x = jax.numpy.asarray(SIGNED)
        value, gradient = jax.jit(penalty.value_and_gradient)(x)
        derivative = jax.jit(jax.grad(penalty))(x)

    assert float(value) == pytest.approx(by_formula[0], rel=1e-12)
    assert_allclose(numbers(gradient), by_formula[1], rtol=1e-11, atol=1e-14)
    assert_allclose(numbers(derivative), by_formula[1], rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize("penalty", kinds(reduce="mean") + ORTHOGONAL, ids=repr)
def test_neither_library_sends_nan_back_from_masked_elements(penalty):
    mask = np.array([True, False])
    x = np.array([[0.5, 0.25], [np.nan, np.inf]])
    expected = np.vstack([value_and_gradient(penalty, x[:1])[1], [0, 0]])
    by_torch = leaf(x)
    penalty(by_torch, mask=torch.tensor(mask)).backward()
    with jax.enable_x64(True):
        by_jax = jax.grad(lambda x: penalty(x, mask=jax.numpy.asarray(mask)))(jax.numpy.asarray(x))

    assert_allclose(numbers(by_torch.grad), expected, rtol=1e-11)
    assert_allclose(numbers(by_jax), expected, rtol=1e-11)


@pytest.mark.parametrize("mean", [-1.0, 0.0, 0.125, 0.126, 0.5, 0.874, 0.875, 1.0, 2.0])
def test_kl_at_and_beyond_the_ends_of_its_range(mean):
    penalty = KLSparsity(0.5, target=0.25, epsilon=0.125)
    x = np.full((4, 1), mean)
    value, gradient = value_and_gradient(penalty, x)
    by_torch = leaf(x)
    penalty(by_torch).backward()
    with jax.enable_x64(True):
        by_jax = jax.grad(penalty)(jax.numpy.asarray(x))

    assert float(penalty(x)) == pytest.approx(value, abs=1e-15)
    for analytic in (penalty.gradient(x), numbers(by_torch.grad), numbers(by_jax)):
        assert_allclose(analytic, gradient, rtol=1e-11, atol=1e-15)


@pytest.mark.parametrize("size", [1e-300, 1e-155, 1e-30, 1e155, 1e300])
def test_autograd_through_the_norm_at_every_size(size):
    by_torch = leaf([3 * size, -4 * size, 0.0])
    L2Norm(1.0)(by_torch).backward()
    with jax.enable_x64(True):
        by_jax = jax.grad(L2Norm(1.0))(jax.numpy.asarray([3 * size, -4 * size, 0.0]))

    assert_allclose(numbers(by_torch.grad), [0.6, -0.8, 0], rtol=1e-11)
    assert_allclose(numbers(by_jax), [0.6, -0.8, 0], rtol=1e-11)


def test_apply_adds_outside_of_the_graph():
    x, grads = leaf([1.0, -2.0]), leaf([0.0, 0.0])
    value = L1(0.5).apply(x, grads)

    assert grads.tolist() == [0.5, -0.5]
    assert (grads.is_leaf, grads.grad_fn, value.requires_grad) == (True, None, False)
