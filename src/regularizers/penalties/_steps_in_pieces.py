"""Differences in time of large arrays, taken piece by piece."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from regularizers.penalties._arrays import Array, size_of
from regularizers.penalties._pieces import PIECE, add_scaled, converted, library_of, total
from regularizers.penalties._separable import Separable


def sum_of_differences(of: Separable, x: Array, axis: int) -> Array:
    """Return the statistic of the differences of `x` along `axis`."""
    store = _Store(x)
    sums = []
    for (block,) in _blocks(axis, x):
        difference, room = store.differences(block[:, 1:], block[:, :-1])
        sums.append(of.sum_of(store.library, difference, room))
    return total(sums)


def slope_of_differences(of: Separable, x: Array, axis: int, cotangent: Array, dtype: Any) -> Array:
    """Return the gradient of (statistic · cotangent) with respect to `x`."""
    store = _Store(x)
    library = store.library
    gradient = library.empty_like(x)
    gradient[(slice(None),) * axis + (slice(0, 1),)] = 0
    factor = cotangent * of.times
    for block, into in _blocks(axis, x, gradient):
        later, earlier = into[:, 1:], into[:, :-1]
        difference, room = store.differences(block[:, 1:], block[:, :-1])
        slope = library.multiply(of.slope_of(library, difference, room), factor, out=room)
        # each difference pulls the later of its two states one way and the earlier the other
        later[...] = slope = slope.reshape(later.shape)
        earlier -= slope
    return converted(gradient, dtype)


def add_slope_of_differences(
    of: Separable, x: Array, axis: int, grads: Array, factor: float
) -> Array:
    """Add the derivative of the statistic, times `factor`, into `grads`; return the statistic."""
    store = _Store(x)
    sums = []
    for block, into in _blocks(axis, x, grads):
        later, earlier = into[:, 1:], into[:, :-1]
        difference, room = store.differences(block[:, 1:], block[:, :-1])
        part, slope = of.sum_and_slope(store.library, difference, room)
        sums.append(part)
        slope = store.library.multiply(slope, factor * of.times, out=room).reshape(later.shape)
        add_scaled(later, slope, 1, slope)
        add_scaled(earlier, slope, -1, slope)
    return total(sums)


class _Store:
    """Memory for the differences of one piece, and as much again to work in."""

    def __init__(self, x: Array) -> None:
        self.library = library_of(x)
        self._dtype = x.dtype
        self._size = -1

    def differences(self, later: Array, earlier: Array) -> tuple[Array, Array]:
        """Return later less earlier in one dimension, and room for as many."""
        size = size_of(later)
        if size != self._size:
            self._size = size
            self._difference, self._room = self.library.empty((2, size), dtype=self._dtype)
        self.library.subtract(later, earlier, out=self._difference.reshape(later.shape))
        return self._difference, self._room


def _blocks(axis: int, *arrays: Array) -> Iterator[tuple[Array, ...]]:
    """Yield corresponding views (samples, steps, units), which share a step with the next ones."""
    shape = arrays[0].shape
    samples, steps, units = math.prod(shape[:axis]), shape[axis], math.prod(shape[axis + 1 :])
    views = [x.reshape(samples, steps, units) for x in arrays]
    some_units = min(units, PIECE)
    some_steps = max(PIECE // some_units, 1)
    some_samples = max(PIECE // (some_units * steps), 1)
    for i in range(0, samples, some_samples):
        for j in range(0, steps - 1, some_steps):
            for k in range(0, units, some_units):
                yield tuple(
                    [
                        view[i : i + some_samples, j : j + some_steps + 1, k : k + some_units]
                        for view in views
                    ]
                )
