"""Reductions of samples that metrics share: each is computed block by block, all in one pass.

Counts are sums of the floats 0 and 1, exact below 2**24. Sums of float32 are added pairwise within
a block, norms by short rows, and what comes of them in float64.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from regularizers.monitor.metrics._block import Block, greater, less, widest


class Reduction(Hashable, Protocol):
    """A reduction of samples; equal ones are computed once."""

    def of(self, block: Block) -> Any:
        """Return what `joined` needs of a block."""

    def joined(self, parts: Sequence[Any]) -> Tensor:
        """Return the reduction of all samples from those of the blocks, in their order."""


@dataclass(frozen=True)
class Total:
    """Σx, of 0 dimensions, in the widest type."""

    def of(self, block: Block) -> Tensor:
        """Return Σx of a block."""
        if block.in_float32:
            number = block.x.sum().item()
            if math.isfinite(number):  # else the sum has left float32, or x was not finite
                return torch.scalar_tensor(number, dtype=torch.float64)
        return block.x.sum(dtype=widest(block.x.device))

    def joined(self, parts: Sequence[Tensor]) -> Tensor:
        """Return the sum."""
        return _sum(parts)


@dataclass(frozen=True)
class Absolute:
    """Σ|x| of each sample; (samples,), in the widest type."""

    def of(self, block: Block) -> Tensor:
        """Return the sums of the samples of a block."""
        return block.absolute.sum(dim=1, dtype=widest(block.x.device))

    def joined(self, parts: Sequence[Tensor]) -> Tensor:
        """Return those of all samples."""
        return _concatenated(parts)


@dataclass(frozen=True)
class Norms:
    """‖x‖₂ of each sample; (samples,), in the widest type."""

    def of(self, block: Block) -> Tensor:
        """Return the norms of the samples of a block."""
        if block.in_float32:
            squares = _squares_by_short_rows(block.x)
            if _SQUARES[0] < squares.sum().item() < _SQUARES[1]:
                return squares.sqrt_()
        return torch.linalg.vector_norm(block.x, dim=1, dtype=widest(block.x.device))

    def joined(self, parts: Sequence[Tensor]) -> Tensor:
        """Return those of all samples."""
        return _concatenated(parts)


_SHORT = 1024
"""The length of rows in which squares of float32 are added: longer rows lose digits."""

_SQUARES = 1e-12, 1e36
"""Bounds of Σx² in which no square that matters leaves float32."""


def _squares_by_short_rows(x: Tensor) -> Tensor:
    rows, units = x.shape
    if units <= _SHORT:
        return torch.linalg.vector_norm(x, dim=1).double().square_()
    whole = units - units % _SHORT
    short = x[:, :whole].reshape(-1, _SHORT)
    squares = torch.linalg.vector_norm(short, dim=1).double().square_().view(rows, -1).sum(dim=1)
    if whole < units:
        squares += torch.linalg.vector_norm(x[:, whole:], dim=1).double().square_()
    return squares


@dataclass(frozen=True)
class Active:
    """How many elements exceed a threshold, |x| > θ; of 0 dimensions."""

    threshold: float

    def of(self, block: Block) -> Tensor:
        """Return the number in a block."""
        return _count(block.indicator(self.threshold))

    def joined(self, parts: Sequence[Tensor]) -> Tensor:
        """Return the sum."""
        return _sum(parts)


@dataclass(frozen=True)
class ActivePerUnit:
    """On how many samples each unit exceeds a threshold; (units,)."""

    threshold: float

    def of(self, block: Block) -> Tensor:
        """Return the numbers in a block."""
        active = block.indicator(self.threshold)
        if not block.is_plain or len(active) > _EXACT:
            return active.sum(dim=0, dtype=widest(active.device))
        # with `out` no autocast rounds it
        out = torch.empty(1, active.shape[1])
        return torch.mm(torch.ones(1, len(active)), active, out=out)[0].double()

    def joined(self, parts: Sequence[Tensor]) -> Tensor:
        """Return the sums."""
        return _sum(parts)


@dataclass(frozen=True)
class Below:
    """How many elements that count are less than an edge; of 0 dimensions."""

    edge: float

    def of(self, block: Block) -> Tensor:
        """Return the number in a block."""
        return _count(_valid(less(block.x, self.edge), block))

    def joined(self, parts: Sequence[Tensor]) -> Tensor:
        """Return the sum."""
        return _sum(parts)


@dataclass(frozen=True)
class Above:
    """How many elements that count are greater than an edge; of 0 dimensions."""

    edge: float

    def of(self, block: Block) -> Tensor:
        """Return the number in a block."""
        return _count(_valid(greater(block.x, self.edge), block))

    def joined(self, parts: Sequence[Tensor]) -> Tensor:
        """Return the sum."""
        return _sum(parts)


_EXACT = 2**24
"""Up to it a sum of ones is exact in float32."""


def _count(ones: Tensor) -> Tensor:
    if ones.is_cpu and ones.numel() <= _EXACT:
        return ones.sum().double()
    return ones.sum(dtype=widest(ones.device))


def _valid(ones: Tensor, block: Block) -> Tensor:
    # elements that do not count are 0, which may lie beyond an edge
    return ones if block.valid is None else torch.where(block.valid, ones, 0.0)


def _sum(parts: Sequence[Tensor]) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.stack(list(parts)).sum(dim=0)


def _concatenated(parts: Sequence[Tensor]) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.cat(list(parts))
