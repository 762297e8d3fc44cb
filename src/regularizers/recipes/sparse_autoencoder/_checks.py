"""Refuses data from which nothing can be learned, before a training."""

from __future__ import annotations

import torch
from torch import Tensor

from regularizers._text import visible
from regularizers.errors import DataError
from regularizers.recipes.sparse_autoencoder._data import Data


def check_varied(data: Data) -> None:
    """Raise a `DataError` unless samples differ, both those to train on and the unseen ones.

    Of a folder of activations the unseen rows are looked at, which are in memory.
    """
    name = visible(data.name)
    if isinstance(data.training, Tensor) and _are_alike(data.training):
        raise DataError(
            f"{name}: expected samples that differ, got {data.training_samples} training samples "
            f"that are all the same, so that there is nothing to learn; take other data, or "
            f"another --seed if few samples differ"
        )
    if _are_alike(data.validation):
        raise DataError(
            f"{name}: expected validation samples that differ, got {len(data.validation)} that are "
            f"all the same, of which no share of variance can be explained; hold more out by "
            f"--validation, or others by another --seed"
        )


def _are_alike(x: Tensor) -> bool:
    return bool(torch.equal(x.amin(dim=0), x.amax(dim=0)))
