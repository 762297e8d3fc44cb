"""Properties of all noise functions: multiplicative, in forward and backward alike."""

import subprocess
import sys
from math import inf, nan

import array_api_strict
import jax
import numpy as np
import pytest
import torch

from functional.generators import generator_of
from penalties.arrays import make, numbers
from regularizers import functional
from regularizers.errors import ArrayTypeError, ConfigurationError, ShapeError

NOISES = {
    "dropout": functional.dropout,
    "drop_path": functional.drop_path,
    "gaussian_dropout": functional.gaussian_dropout,
    "locked_dropout": lambda x, rate, rng: functional.locked_dropout(x, rate, rng, time_axis=1),
    "shared_dropout": lambda x, rate, rng: functional.shared_dropout(x, rate, rng, axes=(1, -1)),
    "drop_block": lambda x, rate, rng: functional.drop_block(x, rate, 2, rng),
}
every_noise = pytest.mark.parametrize("noise_of", NOISES.values(), ids=NOISES.keys())
SHAPE = (16, 2, 4, 5)
X = np.random.default_rng(0).standard_normal(SHAPE)
COTANGENT = np.random.default_rng(1).standard_normal(SHAPE)


@every_noise
def test_the_noise_is_multiplied_in_forward_and_backward(xp, noise_of):
    noised = noise_of(make(xp, X), 0.4, generator_of(xp))

    noise = np.broadcast_to(numbers(noised.noise), SHAPE)
    np.testing.assert_allclose(numbers(noised.y), X * noise, rtol=1e-15)
    cotangent = numbers(noised.vjp(make(xp, COTANGENT)))
    np.testing.assert_allclose(cotangent, COTANGENT * noise, rtol=1e-15)
    assert noise.std() > 0.1


@every_noise
def test_the_gradient_is_that_of_torch_autograd(noise_of):
    x = torch.tensor(X, requires_grad=True)
    noised = noise_of(x, 0.4, generator_of(torch))
    cotangent = torch.tensor(COTANGENT)
    (gradient,) = torch.autograd.grad(noised.y, x, cotangent)
    torch.testing.assert_close(noised.vjp(cotangent).detach(), gradient)


@every_noise
def test_the_gradient_is_that_of_jax_and_passes_through_jit(noise_of):
    x, cotangent, key = jax.numpy.asarray(X), jax.numpy.asarray(COTANGENT), generator_of(jax.numpy)
    jitted = jax.jit(lambda x: noise_of(x, 0.4, key))
    y, pull = jax.vjp(lambda x: jitted(x).y, x)
    noised = jitted(x)
    np.testing.assert_allclose(noised.y, y, rtol=1e-5)
    np.testing.assert_allclose(noised.vjp(cotangent), pull(cotangent)[0], rtol=1e-5)
    np.testing.assert_allclose(noised.y, noise_of(x, 0.4, key).y, rtol=1e-4, atol=1e-5)


@every_noise
def test_the_generator_decides(xp, noise_of):
    x, rng = make(xp, X), generator_of(xp, 3)
    first = numbers(noise_of(x, 0.4, rng).noise)
    again = numbers(noise_of(x, 0.4, generator_of(xp, 3)).noise)
    other = numbers(noise_of(x, 0.4, generator_of(xp, 11)).noise)
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("key", [jax.random.key(0), jax.random.PRNGKey(0)], ids=["new", "old"])
def test_every_kind_of_key_draws(key):
    y = functional.drop_path(jax.numpy.ones((16, 1)), 0.5, key).y
    assert set(numbers(y).flat) == {0, 2}


@every_noise
def test_without_a_generator_pytorch_draws_from_its_own(noise_of):
    x = torch.tensor(X)
    torch.manual_seed(5)
    first = noise_of(x, 0.4, None)
    state = torch.get_rng_state()
    torch.manual_seed(5)
    assert torch.equal(noise_of(x, 0.4, None).y, first.y)
    noise_of(x, 0.4, torch.Generator())
    assert torch.equal(torch.get_rng_state(), state)


@every_noise
def test_a_rate_of_zero_is_the_identity_and_draws_nothing(xp, noise_of):
    x = make(xp, X)
    rng = np.random.default_rng(0) if xp in (np, array_api_strict) else generator_of(xp)
    noised = noise_of(x, 0.0, rng)
    assert noised.y is x
    np.testing.assert_array_equal(np.broadcast_to(numbers(noised.noise), SHAPE), np.ones(SHAPE))
    np.testing.assert_array_equal(numbers(noised.vjp(make(xp, COTANGENT))), COTANGENT)
    if isinstance(rng, np.random.Generator):
        assert rng.random() == np.random.default_rng(0).random()


HALVES = [(np, "float16"), (torch, "float16"), (torch, "bfloat16"), (jax.numpy, "bfloat16")]


@every_noise
@pytest.mark.parametrize(("xp", "dtype"), [*HALVES, (array_api_strict, "float32")])
def test_the_type_is_kept(noise_of, xp, dtype):
    x = make(xp, X, dtype)
    noised = noise_of(x, 0.4, generator_of(xp))
    assert noised.y.dtype == noised.noise.dtype == noised.vjp(x).dtype == x.dtype


@every_noise
def test_half_precision_has_the_noise_of_float32(noise_of):
    half = noise_of(torch.tensor(X, dtype=torch.bfloat16), 0.01, generator_of(torch))
    single = noise_of(torch.tensor(X, dtype=torch.float32), 0.01, generator_of(torch))
    torch.testing.assert_close(half.noise, single.noise.bfloat16())


@every_noise
def test_an_empty_array(xp, noise_of):
    empty = make(xp, np.zeros((0, 2, 4, 5)))
    noised = noise_of(empty, 0.5, generator_of(xp))
    assert noised.y.shape == noised.vjp(empty).shape == (0, 2, 4, 5)


@every_noise
@pytest.mark.parametrize("rate", [1, 1.0, -0.1, 1.5, nan, inf, True, "0.5", None], ids=repr)
def test_a_rate_that_cannot_be(noise_of, rate):
    match = (
        rf"^rate: expected a number in \[0, 1\), the fraction dropped, got {rate!r} of type "
        rf"{type(rate).__name__}; for a fraction p that is kept pass 1 - p$"
    )
    with pytest.raises(ConfigurationError, match=match):
        noise_of(X, rate, generator_of(np))


@every_noise
@pytest.mark.parametrize(
    ("xp", "rng", "message"),
    [
        (np, None, r"expected a numpy.random.Generator, got NoneType; pass numpy.random.default_"),
        (np, 3, r"expected a numpy.random.Generator, got 3 of type int; pass numpy.random"),
        (np, torch.Generator(), r"expected a numpy.random.Generator, got torch.*Generator; pass"),
        (array_api_strict, None, r"expected a numpy.random.Generator, got NoneType; pass numpy"),
        (
            torch,
            np.random.default_rng(0),
            r"expected a torch.Generator for a PyTorch tensor, or None for PyTorch's own, got "
            r"numpy.random._generator.Generator; pass torch.Generator\(x.device\).manual_seed\(0\)",
        ),
        (
            jax.numpy,
            np.random.default_rng(0),
            r"expected a JAX key for a JAX array, got numpy.random._generator.Generator; "
            r"pass jax.random.key\(0\), and split it for each call",
        ),
    ],
)
def test_a_generator_of_another_library(noise_of, xp, rng, message):
    with pytest.raises(ConfigurationError, match=f"^rng: {message}"):
        noise_of(make(xp, X, "float32"), 0.5, rng)


@every_noise
def test_an_array_without_a_gradient(noise_of):
    with pytest.raises(ArrayTypeError, match=r"^x: expected an array of a real floating"):
        noise_of(np.ones((2, 3), dtype=np.int64), 0.5, generator_of(np))


@every_noise
def test_a_cotangent_that_does_not_fit(noise_of):
    noised = noise_of(X, 0.5, generator_of(np))
    match = r"^cotangent: expected the shape of y, \(16, 2, 4, 5\), got \(4, 5\)$"
    with pytest.raises(ShapeError, match=match):
        noised.vjp(np.ones((4, 5)))
    with pytest.raises(ArrayTypeError, match=r"^cotangent: expected an array of a real floating"):
        noised.vjp(np.ones(SHAPE, dtype=np.int64))


def test_importing_loads_no_array_library():
    code = "import sys, regularizers as rz; rz.functional.dropout; print(*sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    loaded = {name.split(".")[0] for name in result.stdout.split()}
    assert not loaded & {"torch", "numpy", "jax", "array_api_strict"}
