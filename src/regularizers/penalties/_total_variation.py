"""How much neighbours along axes differ."""

from __future__ import annotations

from dataclasses import dataclass

from regularizers.errors import ConfigurationError, ShapeError
from regularizers.penalties._neighbours import between, differences, pulled_back
from regularizers.penalties._term import Term
from regularizers.penalties.arrays import (
    Array,
    Axes,
    Denominator,
    Frame,
    normalise_axes,
)


@dataclass(frozen=True, repr=False)
class TotalVariation(Term):
    r"""Absolute differences of neighbours along several axes: flat pieces with sharp edges.

    .. math:: p(x) = s \sum_{a} \sum_i |d^a_i|, \qquad d^a_i = x_{i + e_a} - x_i, \qquad
        \frac{\partial p}{\partial x_i} = s \sum_a \mathrm{sign}(d^a_{i - e_a}) -
        \mathrm{sign}(d^a_i), \quad \mathrm{sign}(0) = 0

    The axes are those of pixels, of frequencies, of time: `TotalVariation(s, axes=(2, 3))` of
    pictures (samples, channels, height, width). Each axis counts by itself, which is the
    anisotropic form. A pair counts if both its elements do, and an axis of length 1 has none.
    Along one axis it is `Temporal(L1(s), axis)`.

    Samples have no order, so that a batch axis is refused. Of an array without samples, such as one
    picture or a kernel, say `batch_axis=()`.

    Args:
        strength: s, finite and not negative; a number, a schedule or a target.
        axes: the axis along which neighbours are compared, or several.
        reduce: `"sum"` over all pairs; `"batch_mean"`, the sum of each sample averaged over
            samples; `"mean"` over all pairs of all axes. None: a sum on arrays and weights,
            `"batch_mean"` at activity sites.
        batch_axis: the axis of samples, several, or `()` for none. None: 0, or what a module says
            of its output.

    Raises:
        ConfigurationError: axes that are no integers, or none at all.
        ShapeError: an axis that the array has not, one named twice, or one of samples.

    Example:
        >>> import numpy as np
        >>> import regularizers as rz
        >>> picture = np.array([[0.0, 0.0, 2.0], [0.0, 1.0, 2.0]])
        >>> variation = rz.TotalVariation(1.0, axes=(0, 1), batch_axis=())
        >>> float(variation(picture))  # 1 down the columns, 2 + 2 along the rows
        5.0
        >>> variation.gradient(picture)
        array([[ 0., -2.,  1.],
               [-1.,  1.,  1.]])

    Source: Rudin, Osher and Fatemi, "Nonlinear total variation based noise removal algorithms",
    1992, which takes the norm of the differences of a pixel; their sum is that of `tf.image` and
    scikit-image.
    """

    axes: Axes

    def __post_init__(self) -> None:
        super().__post_init__()
        each = self.axes if isinstance(self.axes, tuple) else (self.axes,)
        if not each or any(type(axis) is not int for axis in each):
            raise ConfigurationError(
                f"axes: expected an integer or a tuple of one or more, such as (2, 3) of pictures, "
                f"got {self.axes!r}"
            )

    def check_shape(self, shape: tuple[int, ...]) -> None:
        super().check_shape(shape)
        self._ordered(len(shape), normalise_axes(self.batch_axis, len(shape)))

    def joint_axes(self, ndim: int) -> tuple[int, ...]:
        return normalise_axes(self.axes, ndim, "axes")

    def statistic(self, x: Array, frame: Frame) -> tuple[Array, tuple[Array, ...]]:
        xp, total = frame.xp, 0
        for axis in self._axes_of(frame):
            steps = between(frame, axis).select(differences(x, axis))
            # unlike abs, its derivative at 0 is 0 in every library
            total = total + xp.sum(xp.maximum(steps, -steps))
        return total, ()

    def pullback(self, x: Array, saved: tuple[Array, ...], cotangent: Array, frame: Frame) -> Array:
        xp, slope = frame.xp, frame.xp.zeros_like(x)
        for axis in self._axes_of(frame):
            if frame.shape[axis] > 1:
                steps = between(frame, axis).select(differences(x, axis))
                slope = slope + pulled_back(xp, xp.sign(steps), axis)
        return cotangent * slope

    def denominator(self, frame: Frame) -> Denominator:
        axes = self._axes_of(frame)
        if frame.reduce != "mean":
            return frame.count
        return sum([between(frame, axis).elements for axis in axes])

    def _axes_of(self, frame: Frame) -> tuple[int, ...]:
        return self._ordered(len(frame.shape), frame.batch)

    def _ordered(self, ndim: int, batch: tuple[int, ...]) -> tuple[int, ...]:
        """Return the axes along which neighbours are compared; raise for one of samples."""
        if ndim == 0:
            raise ShapeError(f"axes: expected an array with the axes {self.axes}, got a number")
        axes = self.joint_axes(ndim)
        shared = [axis for axis in axes if axis in batch]
        if shared:
            raise ShapeError(
                f"axes: expected other axes than those of the batch, {batch}, got {self.axes}; "
                f"samples have no order; of an array without samples, as a kernel or one picture "
                f"is, say batch_axis=(), of another batch its axis"
            )
        return axes
