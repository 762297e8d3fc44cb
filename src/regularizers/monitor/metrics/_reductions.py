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

from regularizers.monitor.metrics._block import Block, widest


class Reduction(Hashable, Protocol):
    """A reduction of samples; equal ones are computed once.

    On a CPU a number comes as a number of Python, which costs nothing to add. Elsewhere it stays a
    tensor, so that nothing waits for the device.
    """

    def of(self, block: Block) -> Any:
        """Return what `joined` needs of a block."""

    def joined(self, parts: Sequence[Any]) -> Any:
        """Return the reduction of all samples from those of the blocks, in their order."""


@dataclass(frozen=True)
class Total:
    """Σx, in float64."""

    def of(self, block: Block) -> Tensor | float:
        """Return Σx of a block."""
        if block.adds_float32:
            number = block.x.sum().item()
            if math.isfinite(number):  # else the sum has left float32, or x was not finite
                return number
        return number_of(block.x.sum(dtype=widest(block.x.device)), block)

    def joined(self, parts: Sequence[Tensor | float]) -> Tensor | float:
        """Return the sum."""
        return sum(parts[1:], start=parts[0])


@dataclass(frozen=True)
class Absolute:
    """Σ|x| of each sample; (samples,), in the widest type."""

    def of(self, block: Block) -> Tensor:
        """Return the sums of the samples of a block."""
        absolute = block.absolute()
        if block.adds_float32:
            return absolute.sum(dim=1).double()
        return absolute.sum(dim=1, dtype=widest(absolute.device))

    def joined(self, parts: Sequence[Tensor]) -> Tensor:
        """Return those of all samples."""
        return _concatenated(parts)


@dataclass(frozen=True)
class Norms:
    """‖x‖₂ of each sample; (samples,), in the widest type."""

    def of(self, block: Block) -> Tensor:
        """Return the norms of the samples of a block."""
        return block.norms()[0]

    def joined(self, parts: Sequence[Tensor]) -> Tensor:
        """Return those of all samples."""
        return _concatenated(parts)


@dataclass(frozen=True)
class NormSums:
    """Σ‖x‖₂ and Σ‖x‖₂² over samples, in float64."""

    def of(self, block: Block) -> tuple[Tensor | float, Tensor | float]:
        """Return both sums of a block."""
        norms, squares = block.norms()
        return number_of(norms.sum(), block), squares

    def joined(
        self, parts: Sequence[tuple[Tensor | float, Tensor | float]]
    ) -> tuple[Tensor | float, Tensor | float]:
        """Return both sums."""
        norms, squares = zip(*parts, strict=True)
        return sum(norms[1:], start=norms[0]), sum(squares[1:], start=squares[0])


@dataclass(frozen=True)
class Active:
    """How many elements exceed a threshold, |x| > θ; of 0 dimensions."""

    threshold: float

    def of(self, block: Block) -> Tensor | int:
        """Return the number in a block."""
        return _count(block.indicator(self.threshold), block)

    def joined(self, parts: Sequence[Tensor | int]) -> Tensor | int:
        """Return the sum."""
        return sum(parts[1:], start=parts[0])


@dataclass(frozen=True)
class ActivePerUnit:
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

    def joined(self, parts: Sequence[Tensor]) -> Tensor:
        """Return the sums."""
        return sum(parts[1:], start=parts[0])


@dataclass(frozen=True)
class Below:
    """How many elements that count are less than an edge; of 0 dimensions."""

    edge: float

    def of(self, block: Block) -> Tensor | int:
        """Return the number in a block."""
        return _count(_valid(torch.lt(block.x, self.edge, out=block.empty()), block), block)

    def joined(self, parts: Sequence[Tensor | int]) -> Tensor | int:
        """Return the sum."""
        return sum(parts[1:], start=parts[0])


@dataclass(frozen=True)
class Above:
    """How many elements that count are greater than an edge; of 0 dimensions."""

    edge: float

    def of(self, block: Block) -> Tensor | int:
        """Return the number in a block."""
        return _count(_valid(torch.gt(block.x, self.edge, out=block.empty()), block), block)

    def joined(self, parts: Sequence[Tensor | int]) -> Tensor | int:
        """Return the sum."""
        return sum(parts[1:], start=parts[0])


_EXACT = 2**24
"""Up to it a sum of ones is exact in float32."""


def number_of(x: Tensor, block: Block) -> Tensor | float:
    """Return the number in `x` if that waits for nothing, and else `x`."""
    return x.item() if block.is_plain else x


def _count(ones: Tensor, block: Block) -> Tensor | int:
    if block.is_plain and ones.numel() <= _EXACT:
        return int(ones.sum().item())
    count = ones.sum(dtype=widest(ones.device)).to(torch.int64)
    return int(count.item()) if block.is_plain else count


def _valid(ones: Tensor, block: Block) -> Tensor:
    # elements that do not count are 0, which may lie beyond an edge
    return ones if block.valid is None else torch.where(block.valid, ones, 0.0)


def _concatenated(parts: Sequence[Tensor]) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.cat(list(parts))
