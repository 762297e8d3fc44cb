"""Differences in time of large arrays, taken piece by piece."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from regularizers.penalties._arrays import Array
from regularizers.penalties._pieces import PIECE, add_scaled, library_of, total
from regularizers.penalties._separable import Separable


def sum_of_differences(of: Separable, x: Array, axis: int) -> Array:
    """Return the statistic of the differences of `x` along `axis`."""
    library, sums = library_of(x), []
    for difference, room, _, _ in _differences(x, axis):
        sums.append(of.sum_of(library, difference, room))
    return total(sums)


def slope_of_differences(of: Separable, x: Array, axis: int, cotangent: Array, dtype: Any) -> Array:
    """Return the gradient of (statistic · cotangent) with respect to `x`."""
    library = library_of(x)
    gradient = library.zeros_like(x)
    factor = cotangent * of.times
    for difference, room, later, earlier in _differences(x, axis, gradient):
        slope = library.multiply(of.slope_of(library, difference, room), factor, out=room)
        slope = slope.reshape(later.shape)
        # each difference pulls the later of its two states one way and the earlier the other
        later += slope
        earlier -= slope
    return gradient if gradient.dtype == dtype else library_of(x).asarray(gradient, dtype=dtype)


def add_slope_of_differences(
    of: Separable, x: Array, axis: int, grads: Array, factor: float
) -> Array:
    """Add the derivative of the statistic, times `factor`, into `grads`; return the statistic."""
    library, sums = library_of(x), []
    for difference, room, later, earlier in _differences(x, axis, grads):
        part, slope = of.sum_and_slope(library, difference, room)
        slope = library.multiply(slope, factor * of.times, out=room).reshape(later.shape)
        add_scaled(later, slope, 1, slope)
        add_scaled(earlier, slope, -1, slope)
        sums.append(part)
    return total(sums)


def _differences(
    x: Array, axis: int, beside: Array | None = None
) -> Iterator[tuple[Array, Array, Array, Array]]:
    """Yield differences in one dimension, room for as many, and views of where they come from.

    The views are of the later and of the earlier steps of `beside`, or of `x`. Both lie one
    element after the other.
    """
    library, store = library_of(x), None
    for block, aside in _blocks(axis, x, x if beside is None else beside):
        later, earlier = block[:, 1:], block[:, :-1]
        size = math.prod(later.shape)
        if store is None:
            store = library.empty((2, size), dtype=x.dtype)
        difference, room = store[0, :size], store[1, :size]
        library.subtract(later, earlier, out=difference.reshape(later.shape))
        yield difference, room, aside[:, 1:], aside[:, :-1]


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
