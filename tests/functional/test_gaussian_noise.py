"""Normal noise that is added: its distribution, its gradient, and its generator."""

from math import inf, nan

import jax
import numpy as np
import pytest
import torch

from functional.generators import generator_of
from penalties.arrays import make, numbers
from regularizers import functional
from regularizers.errors import ArrayTypeError, ConfigurationError, ShapeError

X = np.random.default_rng(0).standard_normal((16, 3))


@pytest.mark.parametrize("std", [0.1, 2])
def test_its_mean_and_standard_deviation(xp, std):
    n = 100_000
    noise = numbers(functional.gaussian_noise(make(xp, np.ones(n)), std, generator_of(xp)).noise)
    assert abs(noise.mean()) < 5 * std / n**0.5
    assert abs(noise.var() - std**2) < 5 * std**2 * (2 / n) ** 0.5
    # of a normal distribution 4.55 % lie outside of two standard deviations
    assert abs((abs(noise) > 2 * std).mean() - 0.0455) < 5 * (0.0455 / n) ** 0.5


def test_it_is_added_and_the_gradient_passes(xp):
    noised = functional.gaussian_noise(make(xp, X), 0.5, generator_of(xp))
    np.testing.assert_allclose(numbers(noised.y), X + numbers(noised.noise), rtol=1e-15)
    np.testing.assert_array_equal(numbers(noised.vjp(make(xp, 2 * X))), 2 * X)
    again = functional.gaussian_noise(make(xp, X), 0.5, generator_of(xp))
    np.testing.assert_array_equal(numbers(again.y), numbers(noised.y))


def test_it_is_keras_draw_for_draw():
    # Keras: inputs + normal(mean=0, stddev=stddev); PyTorch's generator gives the same numbers
    z = torch.randn(16, 3, generator=generator_of(torch), dtype=torch.float64)
    y = functional.gaussian_noise(torch.tensor(X), 0.5, generator_of(torch)).y
    assert torch.equal(y, torch.tensor(X) + 0.5 * z)


def test_the_gradient_is_that_of_autograd_and_of_jax():
    x = torch.tensor(X, requires_grad=True)
    noised = functional.gaussian_noise(x, 0.5, generator_of(torch))
    cotangent = torch.tensor(3 * X)
    assert torch.equal(torch.autograd.grad(noised.y, x, cotangent)[0], noised.vjp(cotangent))
    key = generator_of(jax.numpy)
    noise = jax.jit(lambda x: functional.gaussian_noise(x, 0.5, key))
    y, pull = jax.vjp(lambda x: noise(x).y, jax.numpy.asarray(X))
    np.testing.assert_allclose(pull(y)[0], y)


def test_zero_is_the_identity_and_draws_nothing(xp):
    x = make(xp, X)
    noised = functional.gaussian_noise(x, 0, generator_of(xp))
    assert noised.y is x
    np.testing.assert_array_equal(numbers(noised.noise), np.zeros_like(X))
    rng = np.random.default_rng(5)
    functional.gaussian_noise(X, 0.0, rng)
    assert rng.random() == np.random.default_rng(5).random()


HALVES = [(np, "float16"), (torch, "float16"), (torch, "bfloat16"), (jax.numpy, "bfloat16")]


@pytest.mark.parametrize(("xp", "dtype"), HALVES)
def test_the_type_is_kept_and_the_noise_that_of_float32(xp, dtype):
    x = make(xp, X, dtype)
    noised = functional.gaussian_noise(x, 0.5, generator_of(xp))
    assert noised.y.dtype == noised.noise.dtype == noised.vjp(x).dtype == x.dtype
    single = functional.gaussian_noise(make(xp, X, "float32"), 0.5, generator_of(xp)).noise
    cast = single.to(x.dtype) if xp is torch else single.astype(x.dtype)
    np.testing.assert_array_equal(numbers(noised.noise), numbers(cast))


def test_empty_arrays_and_what_is_not_finite(xp):
    empty = make(xp, np.zeros((0, 3)))
    assert functional.gaussian_noise(empty, 0.5, generator_of(xp)).y.shape == (0, 3)
    y = numbers(functional.gaussian_noise(make(xp, [nan, inf, -inf]), 0.5, generator_of(xp)).y)
    np.testing.assert_array_equal(y, [nan, inf, -inf])


@pytest.mark.parametrize("std", [-0.1, inf, nan, True, None, "0.1"], ids=repr)
def test_a_standard_deviation_that_cannot_be(std):
    match = rf"^std: expected a finite number, zero or more, .* got {std!r} of type "
    with pytest.raises(ConfigurationError, match=match):
        functional.gaussian_noise(X, std, generator_of(np))


def test_other_input_that_cannot_be():
    with pytest.raises(ArrayTypeError, match=r"^x: expected an array of a real floating"):
        functional.gaussian_noise(np.ones(3, dtype=np.int64), 0.5, generator_of(np))
    with pytest.raises(ConfigurationError, match=r"^rng: expected a numpy\.random\.Generator"):
        functional.gaussian_noise(X, 0.5)
    noised = functional.gaussian_noise(X, 0.5, generator_of(np))
    with pytest.raises(ShapeError, match=r"^cotangent: expected the shape of y, \(16, 3\), got"):
        noised.vjp(np.ones(3))
