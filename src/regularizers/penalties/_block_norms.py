"""Weighted sums of norms of blocks: the base of `L2Norm` and `GroupLasso`."""

from __future__ import annotations

from abc import abstractmethod

from regularizers.penalties._shrinkage import Step, shrink_blocks
from regularizers.penalties._term import Term
from regularizers.penalties.arrays import (
    Array,
    Denominator,
    Frame,
    Namespace,
    divide,
    nonzero,
    root,
    scaled_norm,
)


class Blocks(Term):
    """A weighted sum of the norms of disjoint blocks.

    If every block lies within one sample, the statistic is the sum of the norms. Otherwise it is
    the norms themselves, since a block may be spread over several processes.
    """

    @abstractmethod
    def within(self, frame: Frame) -> tuple[int, ...] | None:
        """Return the axes of a block; None for all."""

    @abstractmethod
    def gathered(self, norms: Array, frame: Frame) -> Array:
        """Return the statistic of the norms of the blocks."""

    @abstractmethod
    def spans_samples(self, statistic: Array) -> bool:
        """Return whether a block spans samples, so that squared norms are additive."""

    @abstractmethod
    def divisor(self, frame: Frame) -> Denominator:
        """Return the denominator of the norm of each block, without a mask."""

    @abstractmethod
    def weight(self, frame: Frame) -> float | Array:
        """Return the factor of the norm of each block."""

    def statistic(self, x: Array, frame: Frame) -> tuple[Array, tuple[Array, ...]]:
        norm, scale = scaled_norm(frame.xp, x, self.within(frame))
        return self.gathered(norm / scale, frame), (norm, scale)

    def pullback(self, x: Array, saved: tuple[Array, ...], cotangent: Array, frame: Frame) -> Array:
        norm, scale = saved
        return cotangent * self.weight(frame) * (x * scale / nonzero(frame.xp, norm))

    @property
    def adds_over_units(self) -> bool:
        return False

    def to_sum(self, statistic: Array, xp: Namespace) -> Array:
        # blocks that span samples have additive squares, which need the range of float64
        if not self.spans_samples(statistic):
            return statistic
        return xp.astype(statistic, xp.float64) ** 2

    def from_sum(self, total: Array, xp: Namespace) -> Array:
        return root(xp, total) if self.spans_samples(total) else total

    def proximal_step(
        self, x: Array, step: Step, strength: float, frame: Frame
    ) -> tuple[Array, Step]:
        threshold = step * divide(frame.xp, strength, self.divisor(frame))
        return shrink_blocks(frame.xp, x, threshold, self.within(frame)), step
