"""The samples and units of an output that a target measures."""

from __future__ import annotations

from typing import Any

from regularizers.penalties.arrays import Array, Frame


class Batch:
    """The axes of samples and of units of an array, and the number of those that count.

    A sample is one index along the batch axes, a unit one index along all others. With a mask only
    valid elements count, and samples with at least one of them. No property waits for the device.

    Args:
        frame: the axes, the mask and the namespace of the array. `Target.measure` is given a
            `Batch` that has one.

    Example:
        >>> import numpy as np
        >>> import regularizers as rz
        >>> from regularizers.control import Batch
        >>> from regularizers.penalties import Frame
        >>> x = np.array([[1.0, -2.0, 0.0], [3.0, 0.0, 0.0]])
        >>> batch = Batch(Frame(np, x.shape, x.dtype, "sum"))
        >>> batch.samples, batch.elements, batch.unit_axes
        (2, 6, (1,))
        >>> total, count = rz.TargetActive(1.0).measure(x, batch)
        >>> float(total / count)  # 3 active units in 2 samples
        1.5
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
        """The axes of samples; empty for an array of 0 dimensions."""
        return self._frame.batch

    @property
    def unit_axes(self) -> tuple[int, ...]:
        """The axes of units; empty if each sample is one number."""
        return self._frame.units

    @property
    def samples(self) -> int | Array:
        """The number of samples that count, an int; with a mask an array of 0 dimensions."""
        return self._frame.samples

    @property
    def elements(self) -> int | Array:
        """The number of elements that count, an int; with a mask an array of 0 dimensions."""
        return self._frame.elements

    @property
    def valid(self) -> Array | None:
        """The elements that count, boolean with the shape of the array; None for all."""
        return self._frame.mask
