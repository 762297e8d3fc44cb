"""Reductions of samples that metrics share: each is computed block by block, all in one pass.

Counts are sums of the floats 0 and 1, exact below 2**24; other sums are in the widest type. No
number is read back, on a CPU either: reading one waits for all that a device has yet to do.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from regularizers.monitor.metrics._block import Block, widest


class Reduction(ABC):
    """A reduction of samples, which is hashable; equal ones are computed once."""

    @property
    def total(self) -> str | None:
        """The name by which `Totals` have it; None: they have not."""
        return None

    @abstractmethod
    def of(self, block: Block) -> Any:
        """Return what `joined` needs of a block."""

    @abstractmethod
    def joined(self, parts: Sequence[Any]) -> Any:
        """Return the reduction of all samples from those of the blocks, in their order."""


class _Sum(Reduction):
    """A reduction that adds up over the blocks."""

    def joined(self, parts: Sequence[Tensor]) -> Tensor:
        """Return the sum over the blocks."""
        return parts[0] if len(parts) == 1 else torch.stack(list(parts)).sum(dim=0)


class _Count(Reduction):
    """A number of elements, of 0 dimensions, which a block has in float32."""

    def joined(self, parts: Sequence[Tensor]) -> Tensor:
        """Return the number in all blocks, in the widest type."""
        dtype = widest(parts[0].device)
        return parts[0].to(dtype) if len(parts) == 1 else torch.stack(list(parts)).sum(dtype=dtype)


class _PerSample(Reduction):
    """A reduction with a number for each sample."""

    def joined(self, parts: Sequence[Tensor]) -> Tensor:
        """Return the numbers of all samples."""
        return parts[0] if len(parts) == 1 else torch.cat(list(parts))


class _OfNorms(_PerSample):
    """A reduction of ‖x‖₂ of each sample, in the widest type."""

    def of(self, block: Block) -> Tensor:
        """Return the norms of the samples of a block."""
        return block.norms()


@dataclass(frozen=True)
class Total(_Sum):
    """Σx, in the widest type; of 0 dimensions."""

    def of(self, block: Block) -> Tensor:
        """Return Σx of a block."""
        return block.wide().sum()


@dataclass(frozen=True)
class Absolute(_PerSample):
    """Σ|x| of each sample; (samples,), in the widest type."""

    def of(self, block: Block) -> Tensor:
        """Return the sums of the samples of a block."""
        sums: Tensor = torch.linalg.vector_norm(block.wide(), ord=1, dim=1)
        return sums


@dataclass(frozen=True)
class Norms(_OfNorms):
    """‖x‖₂ of each sample; (samples,), in the widest type."""


@dataclass(frozen=True)
class NormTotal(_OfNorms):
    """Σ‖x‖₂ over samples, in the widest type; of 0 dimensions."""

    def joined(self, parts: Sequence[Tensor]) -> Tensor:
        """Return the sum over all samples."""
        return super().joined(parts).sum()


@dataclass(frozen=True)
class SquareTotal(_OfNorms):
    """Σx², in the widest type; of 0 dimensions."""

    def joined(self, parts: Sequence[Tensor]) -> Tensor:
        """Return the sum over all samples."""
        norms = super().joined(parts)
        return torch.dot(norms, norms)


@dataclass(frozen=True)
class Active(_Count):
    """How many elements exceed a threshold, |x| > θ; of 0 dimensions."""

    threshold: float

    @property
    def total(self) -> str | None:
        """The name of the number of elements that are not 0."""
        return "active" if self.threshold == 0 else None

    def of(self, block: Block) -> Tensor:
        """Return the number in a block."""
        return _ones(block.indicator(self.threshold))


@dataclass(frozen=True)
class ActivePerUnit(_Sum):
    """On how many samples each unit exceeds a threshold; (units,), int64."""

    threshold: float

    def of(self, block: Block) -> Tensor:
        """Return the numbers in a block."""
        active = block.indicator(self.threshold)
        if not block.is_plain or len(active) > _EXACT:
            return active.sum(dim=0, dtype=widest(active.device)).to(torch.int64)
        # with `out` no autocast rounds it
        out = torch.empty(1, active.shape[1])
        return torch.mm(torch.ones(1, len(active)), active, out=out)[0].to(torch.int64)


@dataclass(frozen=True)
class Below(_Count):
    """How many elements that count are less than an edge; of 0 dimensions."""

    edge: float

    def of(self, block: Block) -> Tensor:
        """Return the number in a block."""
        return _ones(_valid(torch.lt(block.x, self.edge, out=block.empty()), block))


@dataclass(frozen=True)
class Above(_Count):
    """How many elements that count are greater than an edge; of 0 dimensions."""

    edge: float

    def of(self, block: Block) -> Tensor:
        """Return the number in a block."""
        return _ones(_valid(torch.gt(block.x, self.edge, out=block.empty()), block))


_EXACT = 2**24
"""Up to it a sum of ones is exact in float32."""


def _ones(ones: Tensor) -> Tensor:
    if ones.numel() <= _EXACT:
        return ones.sum()
    return ones.sum(dtype=widest(ones.device))


def _valid(ones: Tensor, block: Block) -> Tensor:
    # elements that do not count are 0, which may lie beyond an edge
    return ones if block.valid is None else torch.where(block.valid, ones, 0.0)
