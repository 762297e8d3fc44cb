"""Which sample carries most of the error."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from regularizers.sae import SparseAutoencoder


@dataclass(frozen=True)
class Worst:
    """The sample with the largest squared error."""

    index: int
    share: float
    """Of the squared error of all samples."""
    explained_without: float | None
    """The explained variance of the others; None where they are all alike."""


@torch.no_grad()
def largest_error(network: SparseAutoencoder, x: Tensor) -> Worst:
    """Return the sample of x, (samples, features), that is reconstructed worst."""
    errors = torch.cat([(network(part) - part).double().square().sum(1) for part in x.split(1000)])
    index = int(errors.argmax())
    others = torch.cat([x[:index], x[index + 1 :]])
    mean = others.double().mean(dim=0) if len(others) else torch.zeros(())
    spread = sum(float((part - mean).square().sum()) for part in others.split(1000))
    left = float(errors.sum() - errors[index])
    return Worst(
        index,
        share=float(errors[index] / errors.sum().clamp(min=torch.finfo(torch.float64).tiny)),
        explained_without=1 - left / spread if spread > 0 else None,
    )
