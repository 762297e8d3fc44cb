"""Neighbours along an axis: their differences, and which of these count."""

from __future__ import annotations

from types import EllipsisType
from typing import TypeAlias

from regularizers.penalties.arrays import Array, Frame, Namespace, with_zeros

_Index: TypeAlias = tuple[slice | EllipsisType, ...]


def differences(x: Array, axis: int) -> Array:
    """Return x[i + 1] − x[i] along an axis."""
    return x[_later(axis)] - x[_earlier(axis)]


def between(frame: Frame, axis: int) -> Frame:
    """Return how differences along an axis become one number: those count whose two ends do."""
    shape = (*frame.shape[:axis], max(frame.shape[axis] - 1, 0), *frame.shape[axis + 1 :])
    mask = frame.mask
    if mask is not None:
        mask = mask[_later(axis)] & mask[_earlier(axis)]
    return Frame(frame.xp, shape, frame.dtype, frame.reduce, frame.batch, mask)


def pulled_back(xp: Namespace, slope: Array, axis: int) -> Array:
    """Return the gradient of an array from that of its differences along an axis."""
    # a difference has opposite gradients at its two ends
    return with_zeros(xp, slope, axis, before=1) - with_zeros(xp, slope, axis, after=1)


def _later(axis: int) -> _Index:
    return (*[slice(None)] * axis, slice(1, None), ...)


def _earlier(axis: int) -> _Index:
    return (*[slice(None)] * axis, slice(None, -1), ...)
