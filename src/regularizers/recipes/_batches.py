"""Batches of samples in a reproducible order."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor


class Batches:
    """Batches in an order determined by seed and epoch, so that a resumed run repeats it.

    Args:
        tensors: tensors of one length: samples and, for example, their classes.
        batch_size: samples in a batch.
        seed: the seed of the order.
        epoch: the number of this pass over the samples.
        smallest: a last batch of fewer samples is merged into the one before.
    """

    def __init__(
        self,
        *tensors: Tensor,
        batch_size: int,
        seed: int,
        epoch: int,
        smallest: int = 1,
    ) -> None:
        self._tensors = tensors
        starts = list(range(0, len(tensors[0]), batch_size))
        if len(starts) > 1 and len(tensors[0]) - starts[-1] < smallest:
            starts.pop()
        self._bounds = list(zip(starts, [*starts[1:], len(tensors[0])], strict=True))
        self._seed = seed * 100_003 + epoch

    def __len__(self) -> int:
        return len(self._bounds)

    def __iter__(self) -> Iterator[tuple[Tensor, ...]]:
        generator = torch.Generator().manual_seed(self._seed)
        order = torch.randperm(len(self._tensors[0]), generator=generator)
        for start, end in self._bounds:
            yield tuple(tensor[order[start:end]] for tensor in self._tensors)
