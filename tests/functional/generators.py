"""A generator of the kind that each array library draws from."""

import jax
import numpy as np
import torch


def generator_of(xp, seed=0):
    if xp is torch:
        return torch.Generator().manual_seed(seed)
    return jax.random.key(seed, impl="rbg") if xp is jax.numpy else np.random.default_rng(seed)
