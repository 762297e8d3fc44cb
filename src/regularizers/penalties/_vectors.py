"""The vectors of an array as the rows of a matrix."""

from __future__ import annotations

import math

from regularizers.penalties.arrays import (
    Array,
    Axes,
    Frame,
    Namespace,
    Side,
    normalise_axes,
    numbered,
)


class Vectors:
    """The vectors of an array as the rows of a matrix, and back.

    Args:
        axes: the axes that number the vectors, which extend over all others.
        frame: the frame of the array.
    """

    def __init__(self, axes: Axes | Side, frame: Frame) -> None:
        shape = frame.shape
        numbering = normalise_axes(numbered(axes), len(shape), "axis")
        self.within = tuple([axis for axis in range(len(shape)) if axis not in numbering])
        self.number = math.prod([shape[axis] for axis in numbering])
        self.length = math.prod([shape[axis] for axis in self.within])
        self._order = (*numbering, *self.within)
        self._frame = frame

    def rows(self, x: Array) -> Array:
        """Return the matrix of the vectors in `x`."""
        xp = self._frame.xp
        return xp.reshape(xp.permute_dims(x, self._order), (self.number, self.length))

    def array(self, rows: Array) -> Array:
        """Return the array of the vectors in the matrix `rows`."""
        xp, shape = self._frame.xp, self._frame.shape
        turned = xp.reshape(rows, tuple([shape[axis] for axis in self._order]))
        back = [self._order.index(axis) for axis in range(len(shape))]
        return xp.permute_dims(turned, tuple(back))

    def valid(self) -> Array:
        """Return a column: 1 where a vector has a valid element, 0 where it has none."""
        frame = self._frame
        if frame.mask is None:
            return 1
        some = frame.xp.any(frame.mask, axis=self.within, keepdims=True)
        return frame.xp.reshape(frame.xp.astype(some, frame.dtype), (-1, 1))


def transposed(xp: Namespace, matrix: Array) -> Array:
    """Return the transpose of a matrix."""
    return xp.permute_dims(matrix, (1, 0))


def identity(xp: Namespace, matrix: Array) -> Array:
    """Return the identity of the shape, type and device of a matrix."""
    return xp.tril(xp.triu(xp.ones_like(matrix)))
