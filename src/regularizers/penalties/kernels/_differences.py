"""Differences in time of large arrays, taken block by block."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from regularizers.penalties.arrays import Array, size_of
from regularizers.penalties.kernels._pieces import (
    PIECE,
    accumulated_in,
    empty_beside,
    kept_room,
    library_of,
    permuted,
    strides_of,
    total,
)

if TYPE_CHECKING:
    from regularizers.penalties._elementwise import Separable

_STEPS = 4
"""Steps of a block at least: the fewer there are, the more often are they read for the next."""


def sum_of_differences(of: Separable, x: Array, axis: int) -> Array:
    """Return the statistic of the differences of `x` along `axis`."""
    states = _States(x, axis)
    sums = []
    for block in states.blocks(states.steps - 1):
        difference = states.differences(block, *states.span(block))
        sums.append(of.sum_of(states.library, difference, states.room(1, difference)))
    return total(sums)


def slope_of_differences(of: Separable, x: Array, axis: int, cotangent: Array, dtype: Any) -> Array:
    """Return the gradient of (statistic · cotangent) with respect to `x`, of the type `dtype`.

    Every block reads one difference before its first step and one after its last, and writes its
    own steps once.
    """
    gradient = empty_beside(x, dtype)
    states = _States(x, axis, gradient)
    factor = cotangent * of.times
    for block in states.blocks(states.steps):
        difference = states.differences(block, *states.pulling(block))
        room = states.room(1, difference)
        slope = of.slope_of(states.library, difference, room)
        states.library.multiply(slope, factor, out=room)
        states.write_pull(block, room)
    return gradient


def add_slope_of_differences(
    of: Separable, x: Array, axis: int, grads: Array, factor: float
) -> Array:
    """Add the derivative of the statistic, times `factor`, into `grads`; return the statistic."""
    states = _States(x, axis, grads)
    sums = []
    for block in states.blocks(states.steps - 1):
        first, last = states.span(block)
        difference = states.differences(block, first, last)
        room = states.room(1, difference)
        part, slope = of.sum_and_slope(states.library, difference, room)
        sums.append(part)
        states.library.multiply(slope, factor * of.times, out=room)
        # each difference pulls the later of its two states one way and the earlier the other
        later = states.written(block, first + 1, last + 1)
        earlier = states.written(block, first, last)
        later += room.reshape(later.shape)
        earlier -= room.reshape(later.shape)
    return total(sums)


Block = Sequence[slice]


class _States:
    """An array and one to be written, their axes in the order of the memory, and room to work in.

    A block is a slice of each axis.
    """

    def __init__(self, x: Array, axis: int, written: Array | None = None) -> None:
        self.library = library_of(x)
        strides = strides_of(x)
        order = sorted(range(x.ndim), key=lambda k: -abs(strides[k]))
        self._axis = order.index(axis)
        self._x = permuted(x, order)
        self._written = None if written is None else permuted(written, order)
        self._dtype = accumulated_in(self.library, x.dtype)
        self.steps = x.shape[axis]

    def blocks(self, steps: int) -> Iterator[Block]:
        """Yield all of the array with so many steps of time, in blocks that stay in the cache."""
        lengths = list(self._x.shape)
        lengths[self._axis] = steps
        ends = tuple(lengths)
        for k, length in enumerate(lengths):
            inner = math.prod(lengths) // length
            least = min(_STEPS, length) if k == self._axis else 1
            lengths[k] = min(length, max(2 * PIECE // inner, least))
        starts = [range(0, end, length) for end, length in zip(ends, lengths, strict=True)]
        for corner in itertools.product(*starts):
            at = zip(corner, lengths, ends, strict=True)
            yield [slice(start, min(start + length, end)) for start, length, end in at]

    def span(self, block: Block) -> tuple[int, int]:
        """Return the first step of a block and the one after its last."""
        return block[self._axis].start, block[self._axis].stop

    def pulling(self, block: Block) -> tuple[int, int]:
        """Return the first difference that pulls a step of a block, and the one after the last."""
        first, last = self.span(block)
        return max(first - 1, 0), min(last, self.steps - 1)

    def differences(self, block: Block, first: int, last: int) -> Array:
        """Return x[t+1] − x[t] for the steps from `first` until `last`, in one dimension."""
        x = self._between(self._x, block, first, last + 1)
        if x.dtype != self._dtype:
            wide = self.room(2, x).reshape(x.shape)
            wide[...] = x
            x = wide
        later, earlier = self._along(x, 1, None), self._along(x, None, -1)
        difference = self.room(0, later)
        self.library.subtract(later, earlier, out=difference.reshape(later.shape))
        return difference

    def write_pull(self, block: Block, slope: Array) -> None:
        """Write the gradient at the steps of a block from the slopes of all differences there.

        Each difference pulls the later of its two states one way and the earlier the other.
        """
        first, last = self.span(block)
        into = out = self.written(block, first, last)
        if into.dtype != self._dtype:
            out = self.room(0, into).reshape(into.shape)
        before, after = self.pulling(block)
        shape = list(into.shape)
        shape[self._axis] = after - before
        slope = slope.reshape(shape)
        begin, end = int(first == 0), last - first - int(last == self.steps)
        if end > begin:
            self.library.subtract(
                self._along(slope, None, -1),
                self._along(slope, 1, None),
                out=self._along(out, begin, end),
            )
        if first == 0:
            self._along(out, 0, 1)[...] = -self._along(slope, 0, 1)
        if last == self.steps:
            self._along(out, -1, None)[...] = self._along(slope, -1, None)
        if out is not into:
            into[...] = out

    def written(self, block: Block, first: int, last: int) -> Array:
        """Return the steps from `first` until `last` of what is written."""
        return self._between(self._written, block, first, last)

    def room(self, number: int, like: Array) -> Array:
        """Return room for as many elements as `like` has, in one dimension."""
        # a block reads up to two steps more than its four or more, and one of one step reads two
        return kept_room(self.library, self._dtype, 4 * PIECE, number)[: size_of(like)]

    def _between(self, x: Array, block: Block, first: int, last: int) -> Array:
        index = list(block)
        index[self._axis] = slice(first, last)
        return x[tuple(index)]

    def _along(self, x: Array, first: int | None, last: int | None) -> Array:
        return x[(slice(None),) * self._axis + (slice(first, last),)]
