"""Which sample carries most of the error, and which most of the variance."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from regularizers.sae import SparseAutoencoder

_AT_ONCE = 1000
_FEW = 10
_MOST = 0.5
"""Share of the variance from which on a sample is named."""


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
    errors = torch.cat([(network(part) - part).double().square().sum(1) for part in _parts(x)])
    index = int(errors.argmax())
    others = torch.cat([x[:index], x[index + 1 :]])
    mean = others.double().mean(dim=0) if len(others) else torch.zeros(())
    spread = math.fsum(float((part - mean).square().sum()) for part in _parts(others))
    # a mean that was rounded leaves a spread where there is none
    varied = len(others) > 0 and not torch.equal(others.amin(dim=0), others.amax(dim=0))
    left = float(errors.sum() - errors[index])
    return Worst(
        index,
        share=float(errors[index] / errors.sum().clamp(min=torch.finfo(torch.float64).tiny)),
        explained_without=1 - left / spread if varied and spread > 0 else None,
    )


def far_from_all(training: Tensor, rows: NDArray[np.int64]) -> tuple[str, ...]:
    """Return what is said of a training sample that makes most of their variance; else nothing.

    Args:
        training: (samples, features).
        rows: the numbers of the samples in the data, from 0.
    """
    mean = training.mean(dim=0, dtype=torch.float64)
    far = torch.cat([(part - mean).square().sum(dim=1) for part in _parts(training)])
    index, whole = int(far.argmax()), float(far.sum())
    if whole == 0 or len(far) < _FEW or float(far[index]) < _MOST * whole:
        return ()
    share = float(far[index]) / whole
    return (
        f"sample {int(rows[index]) + 1} alone makes {share:.1%} of the variance of the training "
        f"samples: the others are small beside it; drop it if it is a mistake",
    )


def _parts(x: Tensor) -> Iterator[Tensor]:
    for start in range(0, len(x), _AT_ONCE):
        yield x[start : start + _AT_ONCE]
