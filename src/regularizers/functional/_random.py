"""Random numbers from the generator of whichever library an array is from.

The library is not imported here. PyTorch's namespace draws by itself; JAX's random functions stand
beside its namespace, in the package that the caller's array has loaded; for any other library a
NumPy generator draws.
"""

from __future__ import annotations

import sys
from typing import Any, TypeAlias

import array_api_compat

from regularizers.errors import ConfigurationError
from regularizers.penalties.arrays import Array, Namespace

Generator: TypeAlias = Any
"""`numpy.random.Generator`, `torch.Generator` or None, a JAX key; there is no common type."""


def uniform(xp: Namespace, x: Array, shape: tuple[int, ...], rng: Generator) -> Array:
    """Return numbers uniform in [0, 1), where `x` is and at least in float32."""
    if array_api_compat.is_torch_array(x):
        check_torch_generator(xp, rng)
        return xp.rand(shape, generator=rng, dtype=_wide(xp, x), device=x.device)
    if array_api_compat.is_jax_array(x):
        return _jax_random(xp, rng).uniform(rng, shape, _wide(xp, x))
    check_generator(rng)
    return xp.asarray(rng.random(shape), device=array_api_compat.device(x))


def normal(xp: Namespace, x: Array, shape: tuple[int, ...], rng: Generator) -> Array:
    """Return numbers of the standard normal distribution, where `x` is and at least in float32."""
    if array_api_compat.is_torch_array(x):
        check_torch_generator(xp, rng)
        return xp.randn(shape, generator=rng, dtype=_wide(xp, x), device=x.device)
    if array_api_compat.is_jax_array(x):
        return _jax_random(xp, rng).normal(rng, shape, _wide(xp, x))
    check_generator(rng)
    return xp.asarray(rng.standard_normal(shape), device=array_api_compat.device(x))


def _wide(xp: Namespace, x: Array) -> Any:
    # uniform numbers of half precision are too few for a small rate: eight bits in bfloat16
    return xp.result_type(x.dtype, xp.float32)


def check_torch_generator(xp: Namespace, rng: object) -> None:
    """Raise unless `rng` is a `torch.Generator` or None."""
    if rng is not None and not isinstance(rng, xp.Generator):
        raise ConfigurationError(
            f"rng: expected a torch.Generator for a PyTorch tensor, or None for PyTorch's own, got "
            f"{_described(rng)}; pass torch.Generator(x.device).manual_seed(0)"
        )


def check_generator(rng: object) -> None:
    """Raise unless `rng` draws as a `numpy.random.Generator` does."""
    if not (hasattr(rng, "random") and hasattr(rng, "standard_normal")):
        raise ConfigurationError(
            f"rng: expected a numpy.random.Generator, got {_described(rng)}; "
            f"pass numpy.random.default_rng(0)"
        )


def _jax_random(xp: Namespace, rng: object) -> Any:
    """Return JAX's random functions; raise unless `rng` is an array, as keys are."""
    if not array_api_compat.is_jax_array(rng):
        raise ConfigurationError(
            f"rng: expected a JAX key for a JAX array, got {_described(rng)}; "
            f"pass jax.random.key(0), split anew for each call"
        )
    return sys.modules[xp.__name__.partition(".")[0]].random


def _described(rng: object) -> str:
    kind = type(rng)
    name = kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"
    return f"{rng!r} of type {name}" if isinstance(rng, (int, float, str)) else name
