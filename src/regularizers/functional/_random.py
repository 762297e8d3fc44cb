"""Random numbers from the generator of an array's library.

No library is imported here. PyTorch's namespace has random functions; those of JAX are found in the
package that the caller has imported; every other library uses a NumPy generator.
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
    """Return numbers uniform in [0, 1), on the device of `x`, in float32 or wider."""
    if array_api_compat.is_torch_array(x):
        check_torch_generator(xp, rng)
        return xp.rand(shape, generator=rng, dtype=_wide(xp, x), device=x.device)
    if array_api_compat.is_jax_array(x):
        return _jax_random(xp, rng).uniform(rng, shape, _wide(xp, x))
    check_generator(rng)
    return xp.asarray(rng.random(shape), device=array_api_compat.device(x))


def normal(xp: Namespace, x: Array, shape: tuple[int, ...], rng: Generator) -> Array:
    """Return standard normal numbers, on the device of `x`, in float32 or wider."""
    if array_api_compat.is_torch_array(x):
        check_torch_generator(xp, rng)
        return xp.randn(shape, generator=rng, dtype=_wide(xp, x), device=x.device)
    if array_api_compat.is_jax_array(x):
        return _jax_random(xp, rng).normal(rng, shape, _wide(xp, x))
    check_generator(rng)
    return xp.asarray(rng.standard_normal(shape), device=array_api_compat.device(x))


def _wide(xp: Namespace, x: Array) -> Any:
    # half precision has too few uniform numbers for a small rate: eight bits in bfloat16
    return xp.result_type(x.dtype, xp.float32)


def check_torch_generator(xp: Namespace, rng: object) -> None:
    """Raise unless `rng` is a `torch.Generator` or None."""
    if rng is not None and not isinstance(rng, xp.Generator):
        raise ConfigurationError(
            f"rng: expected a torch.Generator for a PyTorch tensor, or None for PyTorch's own, got "
            f"{_description(rng)}; pass torch.Generator(x.device).manual_seed(0)"
        )


def check_generator(rng: object) -> None:
    """Raise unless `rng` has the methods of a `numpy.random.Generator`."""
    if not (hasattr(rng, "random") and hasattr(rng, "standard_normal")):
        raise ConfigurationError(
            f"rng: expected a numpy.random.Generator, got {_description(rng)}; "
            f"pass numpy.random.default_rng(0)"
        )


def _jax_random(xp: Namespace, rng: object) -> Any:
    """Return `jax.random`; raise unless `rng` is a JAX array, as a key is."""
    if not array_api_compat.is_jax_array(rng):
        raise ConfigurationError(
            f"rng: expected a JAX key for a JAX array, got {_description(rng)}; "
            f"pass jax.random.key(0), and split it for each call"
        )
    return sys.modules[xp.__name__.partition(".")[0]].random


def _description(rng: object) -> str:
    cls = type(rng)
    name = cls.__name__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__name__}"
    return f"{rng!r} of type {name}" if isinstance(rng, (int, float, str)) else name
