"""Values that PyTorch and JAX differentiate as constants."""

from __future__ import annotations

import sys

import array_api_compat

from regularizers.penalties.arrays import Array, detached


def differentiates(x: Array) -> bool:
    """Return whether the library of `x` differentiates: PyTorch or JAX."""
    return bool(array_api_compat.is_torch_array(x) or array_api_compat.is_jax_array(x))


def constant_of(x: Array) -> Array:
    """Return `x` as a constant for the differentiation of its library."""
    if array_api_compat.is_jax_array(x):
        return sys.modules["jax"].lax.stop_gradient(x)
    return detached(x)
