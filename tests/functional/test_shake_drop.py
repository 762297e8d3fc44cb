"""ShakeDrop by brute force: expectations over many draws, in forward and in backward apart."""

from math import inf, nan

import jax
import numpy as np
import pytest
import torch
from scipy import stats

from functional.generators import generator_of
from penalties.arrays import make, numbers
from regularizers import functional
from regularizers.errors import ArrayTypeError, ConfigurationError, ShapeError
from regularizers.functional.noise import shake_factors
from regularizers.penalties.arrays import namespace_of

N = 100_000
X = np.random.default_rng(0).standard_normal((64, 3, 2))
COTANGENT = np.random.default_rng(1).standard_normal((64, 3, 2))


def factors_of(xp, p):
    """Return the factors of forward and backward that many samples got."""
    ones = make(xp, np.ones((N, 1)))
    shaken = functional.shake_drop(ones, p, generator_of(xp))
    return numbers(shaken.y)[:, 0], numbers(shaken.vjp(ones))[:, 0]


def near(values, expected):
    """Whether the mean is within five standard errors."""
    return abs(values.mean() - expected) < 5 * values.std() / N**0.5


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_the_expectations_of_forward_and_of_backward(xp, p):
    forward, backward = factors_of(xp, p)
    # b + (1 − b)α with E[α] = 0, E[α²] = 1/3; b + (1 − b)β with E[β] = 1/2, E[β²] = 1/3
    assert near(forward, p)
    assert near(forward**2, p + (1 - p) / 3)
    assert near(backward, p + (1 - p) / 2)
    assert near(backward**2, p + (1 - p) / 3)


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_forward_and_backward_share_b_and_nothing_else(xp, p):
    forward, backward = factors_of(xp, p)
    kept = forward == 1
    np.testing.assert_array_equal(kept, backward == 1)
    assert near(kept.astype(float), p)
    alpha, beta = forward[~kept], backward[~kept]
    # independent, if no moment of the pair differs from the product of the moments
    for f, g in [(alpha, beta), (alpha**2, beta), (alpha, beta**2), (alpha**2, beta**2)]:
        correlation = np.corrcoef(f, g)[0, 1]
        assert abs(correlation) < 5 / len(f) ** 0.5
    assert stats.kstest(alpha, stats.uniform(-1, 2).cdf).pvalue > 1e-4
    assert stats.kstest(beta, stats.uniform(0, 1).cdf).pvalue > 1e-4


def test_the_factors_by_hand(xp):
    u = make(xp, [[0.19, 0.2, 0.9], [0.75, 0.75, 0.0], [0.25, 0.25, 0.5]])
    forward, backward = shake_factors(namespace_of(u), u, 0.2)
    np.testing.assert_allclose(numbers(forward), [1, 0.5, -1])
    np.testing.assert_allclose(numbers(backward), [1, 0.25, 0.5])


def test_whole_samples_are_multiplied(xp):
    shaken = functional.shake_drop(make(xp, X), 0.5, generator_of(xp))
    assert shaken.factor.shape == shaken.gradient_factor.shape == (64, 1, 1)
    np.testing.assert_allclose(numbers(shaken.y), X * numbers(shaken.factor), rtol=1e-15)
    pulled = numbers(shaken.vjp(make(xp, COTANGENT)))
    np.testing.assert_allclose(pulled, COTANGENT * numbers(shaken.gradient_factor), rtol=1e-15)
    again = functional.shake_drop(make(xp, X), 0.5, generator_of(xp))
    np.testing.assert_array_equal(numbers(again.y), numbers(shaken.y))


@pytest.mark.parametrize(
    ("batch_axis", "shape"), [(1, (1, 3, 1)), ((0, -1), (64, 1, 2)), ((), (1, 1, 1))]
)
def test_other_axes_of_samples(xp, batch_axis, shape):
    shaken = functional.shake_drop(make(xp, X), 0.5, generator_of(xp), batch_axis=batch_axis)
    assert shaken.factor.shape == shaken.gradient_factor.shape == shape


def test_torch_differentiates_it_to_the_other_factor():
    x, cotangent = torch.tensor(X, requires_grad=True), torch.tensor(COTANGENT)
    shaken = functional.shake_drop(x, 0.5, generator_of(torch))
    torch.testing.assert_close(shaken.y, x * shaken.factor, rtol=0, atol=0)
    (gradient,) = torch.autograd.grad(shaken.y, x, cotangent)
    torch.testing.assert_close(gradient, cotangent * shaken.gradient_factor)
    assert not torch.allclose(gradient, cotangent * shaken.factor)
    torch.testing.assert_close(shaken.vjp(cotangent).detach(), gradient)


@pytest.mark.parametrize("jit", [jax.jit, lambda f: f], ids=["jit", "eager"])
def test_jax_differentiates_it_to_the_other_factor(jit):
    x, cotangent, key = jax.numpy.asarray(X), jax.numpy.asarray(COTANGENT), generator_of(jax.numpy)
    shake = jit(lambda x: functional.shake_drop(x, 0.5, key))
    y, pull = jax.vjp(lambda x: shake(x).y, x)
    shaken = shake(x)
    np.testing.assert_allclose(y, x * shaken.factor, rtol=1e-6)
    np.testing.assert_allclose(pull(cotangent)[0], cotangent * shaken.gradient_factor, rtol=1e-6)
    np.testing.assert_allclose(pull(cotangent)[0], shaken.vjp(cotangent), rtol=1e-6)


def test_a_p_of_one_is_the_identity_and_draws_nothing(xp):
    x = make(xp, X)
    shaken = functional.shake_drop(x, 1, generator_of(xp))
    assert shaken.y is x
    np.testing.assert_array_equal(numbers(shaken.vjp(make(xp, COTANGENT))), COTANGENT)
    rng = np.random.default_rng(5)
    functional.shake_drop(X, 1.0, rng)
    assert rng.random() == np.random.default_rng(5).random()


HALVES = [(np, "float16"), (torch, "float16"), (torch, "bfloat16"), (jax.numpy, "bfloat16")]


@pytest.mark.parametrize(("xp", "dtype"), HALVES)
def test_the_type_is_kept(xp, dtype):
    x = make(xp, X, dtype)
    shaken = functional.shake_drop(x, 0.5, generator_of(xp))
    types = {shaken.y.dtype, shaken.factor.dtype, shaken.gradient_factor.dtype}
    assert types == {x.dtype} == {shaken.vjp(x).dtype}
    np.testing.assert_array_equal(numbers(shaken.y), numbers(x * shaken.factor))


def test_empty_arrays_and_what_is_not_finite(xp):
    empty = make(xp, np.zeros((0, 3)))
    assert functional.shake_drop(empty, 0.5, generator_of(xp)).y.shape == (0, 3)
    x = make(xp, np.tile([nan, inf, -inf, 1.0], (8, 1)))
    shaken = functional.shake_drop(x, 0.5, generator_of(xp))
    np.testing.assert_array_equal(numbers(shaken.y), numbers(x) * numbers(shaken.factor))


@pytest.mark.parametrize("p", [0, -0.1, 1.1, nan, inf, True, None, "0.5"], ids=repr)
def test_a_p_that_cannot_be(p):
    match = (
        rf"^p: expected a number in \(0, 1\], the probability that a branch is left as it is, got "
        rf"{p!r} of type {type(p).__name__}; for a probability q of shaking it pass 1 - q$"
    )
    with pytest.raises(ConfigurationError, match=match):
        functional.shake_drop(X, p, generator_of(np))


def test_other_input_that_cannot_be():
    with pytest.raises(ArrayTypeError, match=r"^x: expected an array of a real floating"):
        functional.shake_drop(np.ones(3, dtype=np.int64), 0.5, generator_of(np))
    with pytest.raises(ConfigurationError, match=r"^rng: expected a numpy\.random\.Generator"):
        functional.shake_drop(X, 0.5)
    with pytest.raises(
        ShapeError, match=r"^batch_axis: expected axes of an array of 3 dim.* got 3"
    ):
        functional.shake_drop(X, 0.5, generator_of(np), batch_axis=3)
    shaken = functional.shake_drop(X, 0.5, generator_of(np))
    with pytest.raises(ShapeError, match=r"^cotangent: expected the shape of y, \(64, 3, 2\), got"):
        shaken.vjp(np.ones(3))
