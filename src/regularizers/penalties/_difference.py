"""A penalty of differences in time."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Self

from regularizers.errors import ConfigurationError, ShapeError
from regularizers.penalties._formula import Formula
from regularizers.penalties._neighbours import between, differences, pulled_back
from regularizers.penalties._term import Term
from regularizers.penalties.arrays import (
    Array,
    Denominator,
    Frame,
    Namespace,
    Reduce,
    check_axis,
    normalise_axes,
    size_of,
)
from regularizers.penalties.kernels import (
    KERNELS,
    DifferenceKernel,
    element_kernel_of,
)


@dataclass(frozen=True, repr=False)
class Difference(Term):
    """A penalty of x[t+1] − x[t]; `Temporal` is a sum of them.

    Its reduction counts differences: valid ones, whose two steps are, where there is a mask.

    Args:
        strength: s, finite and not negative; a number, a schedule or a target.
        reduce: `"sum"`, `"batch_mean"` or `"mean"`. None: a sum on arrays and weights,
            `"batch_mean"` at activity sites.
        batch_axis: the axis of samples, or several. None: 0, or what a module says of its output.
        of: the penalty of the differences; its strength and reduction are not used.
        time_axis: the axis of time. None where a recurrent layer says it.

    Example:
        >>> import numpy as np
        >>> import regularizers as rz
        >>> from regularizers.penalties import Difference
        >>> term = Difference.between(rz.L1(0.5), time_axis=1)
        >>> float(term(np.array([[1.0, 2.0, 4.0]])))  # 0.5 · (1 + 2)
        1.5
        >>> rz.Temporal(rz.L1(0.5), time_axis=1).terms == (term,)
        True
    """

    of: Formula = field(kw_only=True)
    time_axis: int | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.time_axis is not None:
            check_axis(self.time_axis, "time_axis")
        inner = dataclasses.replace(
            self.of, strength=1.0, reduce=self.reduce, batch_axis=self.batch_axis
        )
        object.__setattr__(self, "of", inner)

    @classmethod
    def between(cls, term: Formula, time_axis: int | None) -> Self:
        """Return `term` as a penalty of the differences.

        Args:
            term: the penalty, with its strength and reduction.
            time_axis: the axis of time. None where a recurrent layer says it.
        """
        return cls(
            term.strength,
            reduce=term.reduce,
            batch_axis=term.batch_axis,
            of=term,
            time_axis=time_axis,
        )

    def along(self, time_axis: int) -> Self:
        """Return the same penalty for this axis of time.

        Args:
            time_axis: the axis of time.

        Raises:
            ConfigurationError: the penalty names another.
        """
        return dataclasses.replace(self, time_axis=time_axis)

    def __repr__(self) -> str:
        of = dataclasses.replace(self.of, strength=self.strength)
        axis = "" if self.time_axis is None else f", time_axis={self.time_axis}"
        return f"Temporal({of!r}{axis})"

    @property
    def label(self) -> str:
        return f"Temporal({self.of.label})"

    @property
    def reductions(self) -> tuple[Reduce, ...]:
        return self.of.reductions

    @property
    def joins(self) -> bool:
        return self.of.joins

    @property
    def differentiated(self) -> bool:
        return self.of.differentiated

    @property
    def takes_empty(self) -> bool:
        return self.of.takes_empty

    @property
    def reads_samples(self) -> bool:
        return self.of.reads_samples

    @property
    def adds_over_units(self) -> bool:
        return self.of.adds_over_units

    def joint_axes(self, ndim: int) -> tuple[int, ...]:
        time = () if self.time_axis is None else (self.time_axis % ndim,)
        return (*time, *self.of.joint_axes(ndim))

    def spans_samples(self, statistic: Array) -> bool:
        return self.of.spans_samples(statistic)

    def check_shape(self, shape: tuple[int, ...]) -> None:
        super().check_shape(shape)
        axis = self._axis(len(shape), normalise_axes(self.batch_axis, len(shape)))
        self._check_length(shape[axis])
        self.of.check_shape((*shape[:axis], shape[axis] - 1, *shape[axis + 1 :]))

    def statistic(self, x: Array, frame: Frame) -> tuple[Array, tuple[Array, ...]]:
        steps, counted = differences(x, self._axis_of(frame)), self._between(frame)
        if size_of(steps) == 0 and not self.of.takes_empty:
            return frame.xp.sum(steps), ()
        return self.of.statistic(counted.select(steps), counted)

    def pullback(self, x: Array, saved: tuple[Array, ...], cotangent: Array, frame: Frame) -> Array:
        axis, counted = self._axis_of(frame), self._between(frame)
        steps = differences(x, axis)
        if size_of(steps) == 0:
            return frame.xp.zeros_like(x)
        steps = counted.select(steps)
        slope = counted.select(self.of.pullback(steps, saved, cotangent, counted))
        return pulled_back(frame.xp, slope, axis)

    def differences(self, x: Array, frame: Frame) -> tuple[Array, Frame]:
        """Return the differences of `x`, 0 where either step is masked, and their frame.

        Args:
            x: the array.
            frame: its frame.
        """
        counted = self._between(frame)
        return counted.select(differences(x, self._axis_of(frame))), counted

    def denominator(self, frame: Frame) -> Denominator:
        return self.of.denominator(self._between(frame))

    def value(self, statistic: Array, denominator: Denominator, xp: Namespace) -> Array:
        return self.of.value(statistic, denominator, xp)

    def derivative(self, statistic: Array, denominator: Denominator, xp: Namespace) -> Array:
        return self.of.derivative(statistic, denominator, xp)

    def to_sum(self, statistic: Array, xp: Namespace) -> Array:
        return self.of.to_sum(statistic, xp)

    def from_sum(self, total: Array, xp: Namespace) -> Array:
        return self.of.from_sum(total, xp)

    def _between(self, frame: Frame) -> Frame:
        """Return how the differences become one number."""
        axis = self._axis_of(frame)
        self._check_length(frame.shape[axis])
        return between(frame, axis)

    def _axis_of(self, frame: Frame) -> int:
        return self._axis(len(frame.shape), frame.batch)

    def _axis(self, ndim: int, batch: tuple[int, ...]) -> int:
        if self.time_axis is None:
            raise ConfigurationError(
                "time_axis: expected the axis of time, got None; only a recurrent layer says "
                "which it is: Temporal(penalty, time_axis=1), or tar(..., time_axis=1)"
            )
        if not -ndim <= self.time_axis < ndim:
            raise ShapeError(
                f"time_axis: expected an axis of an array of {ndim} dimensions, got "
                f"{self.time_axis}"
            )
        axis = self.time_axis % ndim
        if axis in batch:
            raise ShapeError(
                f"time_axis: expected another axis than those of the batch, {batch}, got "
                f"{self.time_axis}; samples have no order; say batch_axis=, if that is wrong"
            )
        return axis

    @staticmethod
    def _check_length(length: int) -> None:
        if length == 0:
            raise ShapeError("time_axis: expected one step of time or more, got a length of 0")


def _kernel_of_difference(term: Difference) -> DifferenceKernel | None:
    elements = element_kernel_of(term.of)
    if elements is None or term.time_axis is None:
        return None
    return DifferenceKernel(elements, term.time_axis)


KERNELS[Difference] = _kernel_of_difference
