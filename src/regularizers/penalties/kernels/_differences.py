"""The kernel of differences in time."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any

from regularizers.penalties.arrays import Array, is_wide, size_of
from regularizers.penalties.kernels import thresholds
from regularizers.penalties.kernels._kernel import ElementKernel
from regularizers.penalties.kernels._pieces import (
    accumulated_in,
    empty_beside,
    kept_buffer,
    library_of,
    lie_plainly,
    permuted,
    strides_of,
    total,
)


class DifferenceKernel:
    """Reads the differences of states along an axis, block by block, for a sum over elements.

    Args:
        elements: the kernel of the sum over the differences.
        axis: the axis of time, or a negative number.
    """

    slope_is_sign = False

    def __init__(self, elements: ElementKernel, axis: int) -> None:
        self._elements, self._axis = elements, axis

    def fits(self, x: Array, *written: Array) -> bool:
        axis, arrays = self._axis, (x, *written)
        if not -x.ndim <= axis < x.ndim:
            return False
        if written and not all(is_wide(library_of(y), y) for y in arrays):
            return False  # states are written twice, and half precision would round twice
        return x.shape[axis] > 1 and all(map(lie_plainly, arrays))

    def read(
        self, x: Array, signs: Array | None = None, counts: list[Array] | None = None
    ) -> Array:
        states = self._states(x)
        sums = []
        for block in states.blocks(states.steps - 1):
            difference = states.differences(block, *states.span(block))
            buffer = states.buffer(1, difference)
            sums.append(self._elements.sum_of(states.library, difference, buffer))
        return total(sums)

    def read_at_once(self, library: Any, x: Array) -> Array:
        return self._elements.sum_of(library, self._differences(x).reshape(-1), None)

    def gradient_at_once(self, library: Any, x: Array, cotangent: Array) -> Array:
        slope = self._elements.gradient_at_once(library, self._differences(x), cotangent)
        gradient = library.zeros_like(x)
        gradient[self._steps(x, 1, None)] += slope
        gradient[self._steps(x, None, -1)] -= slope
        return gradient

    def _differences(self, x: Array) -> Array:
        return x[self._steps(x, 1, None)] - x[self._steps(x, None, -1)]

    def _steps(self, x: Array, first: int | None, last: int | None) -> tuple[slice, ...]:
        axis: int = self._axis % x.ndim
        return (slice(None),) * axis + (slice(first, last),)

    def gradient(self, x: Array, cotangent: Array, dtype: Any) -> Array:
        # a block reads one difference before its first step and one after its last, and writes
        # its own steps once
        gradient = empty_beside(x, dtype)
        states = self._states(x, gradient)
        factor = cotangent * self._elements.factor
        for block in states.blocks(states.steps):
            difference = states.differences(block, *states.pulling(block))
            buffer = states.buffer(1, difference)
            slope = self._elements.slope_of(states.library, difference, buffer)
            states.library.multiply(slope, factor, out=buffer)
            states.write_gradient(block, buffer)
        return gradient

    def add(self, x: Array, grads: Array, factor: float) -> Array:
        states = self._states(x, grads)
        sums = []
        for block in states.blocks(states.steps - 1):
            first, last = states.span(block)
            difference = states.differences(block, first, last)
            buffer = states.buffer(1, difference)
            part, slope = self._elements.sum_and_slope(states.library, difference, buffer)
            sums.append(part)
            states.library.multiply(slope, factor * self._elements.factor, out=buffer)
            # a difference has opposite gradients at its two states
            later = states.written(block, first + 1, last + 1)
            earlier = states.written(block, first, last)
            later += buffer.reshape(later.shape)
            earlier -= buffer.reshape(later.shape)
        return total(sums)

    def _states(self, x: Array, written: Array | None = None) -> _States:
        return _States(x, self._axis % len(x.shape), written)


Block = Sequence[slice]


class _States:
    """An array and its output with their axes in memory order, and buffers.

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
        """Yield the array, cut to `steps` steps of time, in blocks that stay in the cache."""
        lengths = list(self._x.shape)
        lengths[self._axis] = steps
        ends = tuple(lengths)
        for k, length in enumerate(lengths):
            inner = math.prod(lengths) // length
            least = min(thresholds.TIME_STEPS, length) if k == self._axis else 1
            lengths[k] = min(length, max(2 * thresholds.PIECE // inner, least))
        starts = [range(0, end, length) for end, length in zip(ends, lengths, strict=True)]
        for corner in itertools.product(*starts):
            at = zip(corner, lengths, ends, strict=True)
            yield [slice(start, min(start + length, end)) for start, length, end in at]

    def span(self, block: Block) -> tuple[int, int]:
        """Return the first step of a block, and the one after its last."""
        return block[self._axis].start, block[self._axis].stop

    def pulling(self, block: Block) -> tuple[int, int]:
        """Return the first difference that a block has a gradient of, and one after the last."""
        first, last = self.span(block)
        return max(first - 1, 0), min(last, self.steps - 1)

    def differences(self, block: Block, first: int, last: int) -> Array:
        """Return x[t+1] − x[t] for the steps from `first` until `last`, in one dimension."""
        x = self._between(self._x, block, first, last + 1)
        if x.dtype != self._dtype:
            wide = self.buffer(2, x).reshape(x.shape)
            wide[...] = x
            x = wide
        later, earlier = self._along(x, 1, None), self._along(x, None, -1)
        difference = self.buffer(0, later)
        self.library.subtract(later, earlier, out=difference.reshape(later.shape))
        return difference

    def write_gradient(self, block: Block, slope: Array) -> None:
        """Write the gradient at the steps of a block from the slopes of its differences.

        A difference has opposite gradients at its two states.
        """
        first, last = self.span(block)
        into = out = self.written(block, first, last)
        if into.dtype != self._dtype:
            out = self.buffer(0, into).reshape(into.shape)
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
        """Return the steps from `first` until `last` of the output."""
        return self._between(self._written, block, first, last)

    def buffer(self, number: int, like: Array) -> Array:
        """Return a buffer of as many elements as `like` has, in one dimension."""
        # a block of n >= 4 steps reads n + 2, and a block of one step reads two
        return kept_buffer(self.library, self._dtype, 4 * thresholds.PIECE, number)[: size_of(like)]

    def _between(self, x: Array, block: Block, first: int, last: int) -> Array:
        index = list(block)
        index[self._axis] = slice(first, last)
        return x[tuple(index)]

    def _along(self, x: Array, first: int | None, last: int | None) -> Array:
        return x[(slice(None),) * self._axis + (slice(first, last),)]
