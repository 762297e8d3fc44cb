"""Arrays of four libraries, and their numbers as float64."""

from contextlib import nullcontext

import array_api_strict
import jax
import jax.numpy
import numpy as np
import torch

BACKENDS = [np, torch, jax.numpy, array_api_strict]


def backend_name(xp):
    return xp.__name__.replace(".numpy", "")


def in_float64(xp):
    """Return a context in which `xp` has float64, which JAX leaves out unless asked."""
    return jax.enable_x64(True) if xp is jax.numpy else nullcontext()


def make(xp, values, dtype="float64"):
    return xp.asarray(values, dtype=getattr(xp, dtype))


def numbers(array):
    """Return the elements as a new float64 NumPy array."""
    if isinstance(array, torch.Tensor):
        return array.detach().to(torch.float64).numpy().copy()
    return np.array(array).astype(np.float64)
