"""A dictionary of unit directions, as far apart from each other as its dimensions allow."""

from __future__ import annotations

import torch
from torch import Tensor

STEPS = 300


def dictionary(
    features: int, dimensions: int, generator: torch.Generator, *, orthogonalise: bool
) -> Tensor:
    r"""Return (features, dimensions), float32, with rows of norm 1.

    Gradient descent on the sphere lowers Σ (d_i · d_j)² over i ≠ j from random directions. Its
    gradient is 4 D (DᵀD − 1), since the rows have norm 1. The least value is F²/d − F where there
    are more features F than dimensions d (Welch, 1974), and 0 otherwise.
    """
    rows = torch.randn(features, dimensions, generator=generator, dtype=torch.float64)
    rows = torch.nn.functional.normalize(rows, dim=1)
    if orthogonalise:
        # the largest eigenvalue of DᵀD is about (1 + √(F/d))² at first, and F/d at the end
        rate = 0.5 / max(features / dimensions, 1.0)
        for _ in range(STEPS):
            rows = rows - rate * (rows @ (rows.mT @ rows) - rows)
            rows = torch.nn.functional.normalize(rows, dim=1)
    return rows.float()
