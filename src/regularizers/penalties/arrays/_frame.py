"""How the elements of an array become one number: axes, denominators, mask."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal, TypeAlias, TypeGuard

from regularizers.errors import ConfigurationError, ShapeError
from regularizers.penalties.arrays._arrays import Array, Namespace

Reduce: TypeAlias = Literal["sum", "batch_mean", "mean"]
"""How elements become one number, by a sum, a mean over samples, or a mean over elements."""

Axes: TypeAlias = int | tuple[int, ...]
"""The number of an axis, or of several."""

Side: TypeAlias = Literal["output", "input"]
"""An axis of a weight by its role, which the weight's module knows."""

SIDES: tuple[Side, ...] = ("output", "input")
REDUCTIONS: tuple[Reduce, ...] = ("sum", "batch_mean", "mean")


def check_batch_axis(batch_axis: object) -> None:
    """Raise unless `batch_axis` is an integer, a tuple of integers, or None for the default."""
    if not (batch_axis is None or _are_axes(batch_axis)):
        raise ConfigurationError(
            f"batch_axis: expected an integer, a tuple of integers or None, got {batch_axis!r}"
        )


def check_axes(axes: object, name: str = "axis") -> None:
    """Raise unless `axes` is an integer, a tuple of integers, or a side of a weight."""
    if not (_are_axes(axes) or is_side(axes)):
        raise ConfigurationError(
            f"{name}: expected an integer, a tuple of integers, 'output' or 'input', got {axes!r}"
        )


def is_side(axes: object) -> TypeGuard[Side]:
    """Return whether an axis is named by its role."""
    return isinstance(axes, str) and axes in SIDES


def numbered(axes: Axes | Side) -> Axes:
    """Return `axes` if they are numbers; raise for the role of an axis."""
    if isinstance(axes, str):
        raise ConfigurationError(
            f"axis: expected the number of an axis, got {axes!r}, which only the weight of a "
            f"module has: a rule for kernels finds it; of an array or an output say which axis it "
            f"is, such as axis=0"
        )
    return axes


def check_axis(axis: object, name: str = "axis") -> None:
    """Raise unless `axis` is one integer."""
    if type(axis) is not int:
        raise ConfigurationError(f"{name}: expected an integer, got {axis!r}")


def _are_axes(axes: object) -> bool:
    return all(type(axis) is int for axis in (axes if isinstance(axes, tuple) else (axes,)))


def check_reduce(reduce: object) -> None:
    """Raise unless `reduce` is one of the reductions, or None for the default."""
    if reduce is not None and reduce not in REDUCTIONS:
        raise ConfigurationError(
            f"reduce: expected one of {', '.join(map(repr, REDUCTIONS))} or None, got {reduce!r}"
        )


def normalise_axes(axes: Axes | None, ndim: int, name: str = "batch_axis") -> tuple[int, ...]:
    """Return `axes` (None: the first) as sorted non-negative integers below `ndim`.

    An array without dimensions is a batch of one, which has no axes.
    """
    if ndim == 0:
        return ()
    wanted = axes if isinstance(axes, tuple) else (axes or 0,)
    for axis in wanted:
        if not -ndim <= axis < ndim:
            raise ShapeError(
                f"{name}: expected axes of an array of {ndim} dimensions, "
                f"from {-ndim} to {ndim - 1}, got {axis}"
            )
    normal = sorted([axis % ndim for axis in wanted])
    if len(set(normal)) != len(normal):
        raise ShapeError(f"{name}: expected distinct axes, got {axes} of {ndim} dimensions")
    return tuple(normal)


class Frame:
    """The axes and denominators of one array under one `reduce`.

    A sample is one index along the batch axes; a unit is one index along the others. With a mask,
    only valid elements count: a sample counts if any of its elements is valid, and a unit has as
    many samples as are valid for it.

    Args:
        xp: the namespace of the array's library.
        shape: the shape of the array.
        dtype: the type to count in, float32 or wider.
        reduce: `"sum"`, `"batch_mean"` or `"mean"`.
        batch_axis: the axis of samples, or several. None: 0.
        mask: the elements that count, boolean over the leading axes. None: all.

    Raises:
        ShapeError: a batch axis that the array has not.

    Example:
        >>> import numpy as np
        >>> from regularizers.penalties import Frame
        >>> mask = np.array([[True, True, False], [True, False, False]])
        >>> frame = Frame(np, (2, 3), np.float64, "batch_mean", mask=mask)
        >>> frame.batch, frame.units  # the axes of samples, and those of units
        ((0,), (1,))
        >>> float(frame.count), float(frame.elements)
        (2.0, 3.0)
    """

    __slots__ = ("_covered", "batch", "dtype", "mask", "reduce", "shape", "units", "xp")

    def __init__(
        self,
        xp: Namespace,
        shape: Sequence[int],
        dtype: Any,
        reduce: Reduce,
        batch_axis: Axes | None = None,
        mask: Array | None = None,
    ) -> None:
        self.xp = xp
        self.shape = tuple(shape)
        self.dtype = dtype
        self.reduce = reduce
        self.batch = normalise_axes(batch_axis, len(self.shape))
        self.units = tuple([axis for axis in range(len(self.shape)) if axis not in self.batch])
        self.mask = None if mask is None else self._spread(mask)
        self._covered = 0 if mask is None else mask.ndim

    def _spread(self, mask: Array) -> Array:
        trailing = (1,) * (len(self.shape) - mask.ndim)
        mask = self.xp.reshape(mask, tuple(mask.shape) + trailing)
        return self.xp.broadcast_to(mask, self.shape)

    def select(self, x: Array) -> Array:
        """Return `x` with zeros where the mask is False, even if `x` is NaN there.

        Args:
            x: an array of the shape of the frame.
        """
        if self.mask is None:
            return x
        return self.xp.where(self.mask, x, self.xp.zeros_like(x))

    @property
    def masks_whole_samples(self) -> bool:
        """Whether the mask, if there is one, covers batch axes alone."""
        covered = range(self._covered)
        return all(axis in self.batch or self.shape[axis] == 1 for axis in covered)

    @property
    def count(self) -> Denominator:
        """The number of valid samples or elements, as `reduce` says; None for a sum."""
        if self.reduce == "sum":
            return None
        return self.samples if self.reduce == "batch_mean" else self.elements

    @property
    def elements(self) -> int | Array:
        """The number of valid elements."""
        return math.prod(self.shape) if self.mask is None else self._count(self.mask, None)

    @property
    def samples(self) -> int | Array:
        """The number of samples with a valid element."""
        return self.blocks(self.units)

    @property
    def samples_per_unit(self) -> int | Array:
        """The number of valid samples of each unit; batch axes saved as ones."""
        return self.along(self.batch)

    def along(self, axes: tuple[int, ...]) -> int | Array:
        """Return the number of valid elements along `axes`, which are saved as ones.

        Args:
            axes: the axes to count along, not negative.
        """
        return self._extent(axes) if self.mask is None else self._count(self.mask, axes)

    def blocks(self, axes: tuple[int, ...]) -> int | Array:
        """Return the number of blocks over `axes` that have a valid element.

        Args:
            axes: the axes of one block, not negative.
        """
        if self.mask is None:
            others = [axis for axis in range(len(self.shape)) if axis not in axes]
            return self._extent(tuple(others))
        return self._count(self.xp.any(self.mask, axis=axes, keepdims=True), None)

    def _extent(self, axes: tuple[int, ...]) -> int:
        return math.prod([self.shape[axis] for axis in axes])

    def _count(self, valid: Array, axes: tuple[int, ...] | None) -> Array:
        xp = self.xp
        counts = xp.sum(xp.astype(valid, xp.int32), axis=axes, keepdims=axes is not None)
        return xp.astype(counts, self.dtype)


Denominator: TypeAlias = float | Array | None
"""The denominator of a statistic; 0 counts as 1, and None is no division."""


def divide(xp: Namespace, statistic: Array, denominator: Denominator) -> Array:
    """Return `statistic` divided by `denominator`, where a denominator of 0 counts as 1."""
    if denominator is None:
        return statistic
    if isinstance(denominator, (int, float)):
        return statistic / max(denominator, 1)
    return statistic / xp.where(denominator > 1, denominator, xp.ones_like(denominator))


def live(xp: Namespace, statistic: Array, denominator: Denominator) -> int | Array:
    """Return the number of elements of `statistic` with a positive denominator, at least 1."""
    if isinstance(denominator, int):
        return max(math.prod(statistic.shape), 1)
    counts: Array = denominator
    number = xp.sum(xp.astype(xp.broadcast_to(counts > 0, statistic.shape), statistic.dtype))
    return xp.where(number > 1, number, xp.ones_like(number))


def one_over(denominator: float | None) -> float:
    """Return the factor that divides by a denominator, which is a number or None."""
    return 1.0 if denominator is None else 1 / max(denominator, 1)
