"""Numbers of JAX: those that are traced have no value to read."""

from __future__ import annotations

import sys
from typing import Any


def is_number_of_jax(value: Any) -> bool:
    """Return whether `value` is an array of JAX without dimensions, real and not boolean."""
    jax = sys.modules.get("jax")
    return (
        jax is not None
        and isinstance(value, jax.Array)
        and value.shape == ()
        and bool(jax.numpy.isdtype(value.dtype, ("real floating", "integral")))
    )


def is_traced(value: Any) -> bool:
    """Return whether `value` is a number that `jax.jit`, `grad` or `vmap` traces."""
    jax = sys.modules.get("jax")
    return jax is not None and isinstance(value, jax.core.Tracer) and is_number_of_jax(value)
