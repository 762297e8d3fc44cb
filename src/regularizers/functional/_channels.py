"""The channel axis of an array, and the shapes of per-channel arrays."""

from __future__ import annotations

import math

from regularizers.errors import ArrayTypeError, ConfigurationError, ShapeError
from regularizers.penalties.arrays import Array, Namespace, namespace_of, normalise_axes


class Channels:
    """The channels of one array: their axis, the other axes, and per-channel arrays.

    Raises:
        ConfigurationError: an axis that is not an integer.
        ShapeError: an axis that the array does not have.
    """

    __slots__ = ("axis", "count", "others", "shape", "xp")

    def __init__(self, xp: Namespace, x: Array, axis: int) -> None:
        if type(axis) is not int:
            raise ConfigurationError(
                f"channel_axis: expected an integer, got {axis!r}; every other axis is of the batch"
            )
        if x.ndim == 0:
            raise ShapeError("x: expected an axis of channels, got an array without dimensions")
        self.xp = xp
        self.shape = tuple(x.shape)
        (self.axis,) = normalise_axes(axis, x.ndim, "channel_axis")
        self.others = tuple([other for other in range(x.ndim) if other != self.axis])
        self.count = self.shape[self.axis]

    @property
    def elements_each(self) -> int:
        """The number of elements of each channel."""
        return math.prod([self.shape[other] for other in self.others])

    def broadcast(self, values: Array) -> Array:
        """Return per-channel values in a shape that broadcasts to the array."""
        shape = [1] * len(self.shape)
        shape[self.axis] = self.count
        return self.xp.reshape(values, tuple(shape))

    def per_channel(self, values: Array) -> Array:
        """Return values of the shape of `broadcast` in the shape (C,)."""
        return self.xp.reshape(values, (self.count,))

    def check(self, name: str, values: Array | None) -> None:
        """Raise unless `values` is None or holds one number for each channel."""
        if values is None:
            return
        if namespace_of(values, name) is not self.xp:
            raise ArrayTypeError(
                f"{name}: expected an array of the library of x ({self.xp.__name__}), "
                f"got {type(values).__name__}"
            )
        if tuple(values.shape) != (self.count,):
            raise ShapeError(
                f"{name}: expected shape ({self.count},), one number for each channel of x, whose "
                f"shape is {self.shape} with channels along axis {self.axis}, "
                f"got {tuple(values.shape)}; channel_axis says where the channels are"
            )

    def check_statistics(self, statistics: object) -> None:
        """Raise unless `statistics` is a mean and a variance for each channel."""
        if not (isinstance(statistics, (tuple, list)) and len(statistics) == 2):
            raise ConfigurationError(
                f"statistics: expected a pair (mean, variance), got {type(statistics).__name__}; "
                f"use RunningStatistics(mean, variance), zeros and ones to begin with"
            )
        self.check("statistics.mean", statistics[0])
        self.check("statistics.variance", statistics[1])
