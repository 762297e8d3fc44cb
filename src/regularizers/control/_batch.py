"""What a target is told of the output it measures."""

from __future__ import annotations

from typing import Any

from regularizers.penalties.arrays import Array, Frame


class Batch:
    """Which axes of an array count samples and which units, and how many of them count.

    A sample is one index along the batch axes, a unit one along all others. With a mask only what
    is valid counts: a sample does if any of its elements is valid. Nothing here waits for the
    device.
    """

    __slots__ = ("_frame",)

    def __init__(self, frame: Frame) -> None:
        self._frame = frame

    @property
    def xp(self) -> Any:
        """The functions of the array's own library, as the Array API names them."""
        return self._frame.xp

    @property
    def sample_axes(self) -> tuple[int, ...]:
        """The axes that count samples; none of an array without dimensions."""
        return self._frame.batch

    @property
    def unit_axes(self) -> tuple[int, ...]:
        """The axes that count units; none where each sample is one number."""
        return self._frame.units

    @property
    def samples(self) -> int | Array:
        """The number of samples that count: an int, or an array of 0 dimensions with a mask."""
        return self._frame.samples

    @property
    def elements(self) -> int | Array:
        """The number of elements that count: an int, or an array of 0 dimensions with a mask."""
        return self._frame.elements

    @property
    def valid(self) -> Array | None:
        """Which elements count, boolean and of the shape of the array; None for all."""
        return self._frame.mask
