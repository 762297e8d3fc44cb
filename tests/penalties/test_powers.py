"""Huber beside PyTorch's, and powers that stay finite at zero."""

import jax
import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from penalties.arrays import make, numbers
from penalties.test_autograd import leaf
from regularizers import L1, Huber, L2Squared, Lp

X = [[0.3, -0.8, 1.5], [0.0, -0.0, 2.0]]
ZEROS = [0.0, -0.0, 0.0]


@pytest.mark.parametrize("delta", [0.1, 0.8, 1.0, 5.0])
@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_huber_is_that_of_torch_against_zero(delta, reduction):
    x = leaf(X)
    loss = torch.nn.functional.huber_loss(x, torch.zeros_like(x), reduction=reduction, delta=delta)
    loss.backward()
    value, gradient = Huber(1.0, delta, reduce=reduction).value_and_gradient(x.detach())

    assert value.item() == pytest.approx(loss.item(), rel=1e-14)
    assert_allclose(numbers(gradient), numbers(x.grad), rtol=1e-14)


def test_huber_is_half_a_square_within_a_large_delta(xp):
    x = make(xp, X)

    assert float(Huber(0.5, 100.0)(x)) == pytest.approx(float(L2Squared(0.25)(x)))


def test_huber_over_a_small_delta_is_nearly_l1(xp):
    x = make(xp, X)

    assert float(Huber(0.5 / 1e-9, 1e-9)(x)) == pytest.approx(float(L1(0.5)(x)), rel=1e-8)


@pytest.mark.parametrize("size", [1e-18, 1.0, 1e18])
def test_huber_is_right_at_every_size(xp, size):
    value, gradient = Huber(1.0, 0.1 * size).value_and_gradient(make(xp, [size], "float32"))

    assert float(value) == pytest.approx(0.095 * size**2, rel=1e-6)
    assert_allclose(numbers(gradient), [0.1 * size], rtol=1e-6)


@pytest.mark.parametrize(("p", "same"), [(1, L1), (2, L2Squared)])
@pytest.mark.parametrize("reduce", ["sum", "batch_mean", "mean"])
def test_the_first_and_second_powers_are_penalties_of_their_own(xp, p, same, reduce):
    x = make(xp, X)
    value, gradient = Lp(0.5, p, reduce=reduce).value_and_gradient(x)
    expected = same(0.5, reduce=reduce).value_and_gradient(x)

    assert float(value) == pytest.approx(float(expected[0]), rel=1e-14)
    assert_allclose(numbers(gradient), numbers(expected[1]), rtol=1e-14)


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9, 1, 1.5, 2, 3])
def test_a_power_at_zero_has_no_value_and_no_gradient(p):
    penalty = Lp(2.0, p)
    by_torch = leaf(ZEROS)
    penalty(by_torch).backward()
    by_jax = jax.grad(penalty)(jax.numpy.asarray(ZEROS))

    assert float(penalty(np.array(ZEROS))) == 0
    for gradient in (penalty.gradient(np.array(ZEROS)), by_torch.grad, by_jax):
        assert_array_equal(numbers(gradient), [0, 0, 0])


@pytest.mark.parametrize("p", [0.5, 1, 1.5, 2, 3])
def test_second_derivatives_are_right_beside_zero_and_finite_at_it(p):
    penalty, x = Lp(2.0, p), np.array([0.0, 0.25, -0.25])
    expected = [0 if p != 2 else 4, *[2 * p * (p - 1) * 0.25 ** (p - 2)] * 2]
    for function in (penalty, lambda x: penalty.gradient(x).sum()):
        by_torch = leaf(x)
        (slope,) = torch.autograd.grad(function(by_torch), by_torch, create_graph=True)
        if function is penalty:
            (slope,) = torch.autograd.grad(slope.sum(), by_torch)
        assert_allclose(numbers(slope), expected)

    # one program: each of its many operations by itself would take ten times as long
    by_jax = jax.jit(jax.hessian(penalty))(jax.numpy.asarray(x))
    assert_allclose(by_jax.diagonal(), expected, rtol=1e-6)
