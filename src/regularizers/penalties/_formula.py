"""The mathematics of a penalty with one strength: a statistic, a function of it, derivatives."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import ClassVar, Literal, TypeAlias

from regularizers.penalties._shrinkage import Stage, Step
from regularizers.penalties._subclass import check_settings
from regularizers.penalties.arrays import (
    REDUCTIONS,
    Array,
    Axes,
    Denominator,
    Frame,
    Namespace,
    Reduce,
    check_batch_axis,
    check_reduce,
    divide,
    normalise_axes,
)
from regularizers.penalties.strength import StrengthLike, as_strength

Saves: TypeAlias = Literal["input", "sign", "nothing"]
"""What backward needs saved."""


@dataclass(frozen=True, repr=False)
class Formula(ABC):
    """The mathematics of a `Term`, without the methods that a user calls.

    It stands below `Penalty`, so that evaluating penalties imports nothing from above. `Term` says
    what the methods mean and how to write one.

    Args:
        strength: s, finite and not negative; a number, a schedule or a target.
        reduce: `"sum"`, `"batch_mean"` or `"mean"`. None: a sum on arrays and weights,
            `"batch_mean"` at activity sites.
        batch_axis: the axis of samples, or several. None: 0, or what a module says of its output.

    Example:
        >>> import numpy as np
        >>> import regularizers as rz
        >>> norm, x = rz.L2Norm(0.5), np.array([3.0, -4.0])
        >>> frame = norm.frame(np, x, None)
        >>> statistic, saved = norm.statistic(x, frame)  # the strength of 0.5 is not in it
        >>> float(statistic)
        5.0
        >>> slope = norm.derivative(statistic, norm.denominator(frame), np)
        >>> norm.pullback(x, saved, slope, frame)
        array([ 0.6, -0.8])
    """

    strength: StrengthLike
    reduce: Reduce | None = field(default=None, kw_only=True)
    batch_axis: Axes | None = field(default=None, kw_only=True)

    stage: ClassVar[Stage | None] = None
    """What the proximal step acts on; None without one in closed form."""

    sums_elements: ClassVar[bool] = False
    """True for a sum over elements of a function of each, divided by the denominator."""

    def __post_init__(self) -> None:
        check_reduce(self.reduce)
        check_batch_axis(self.batch_axis)
        check_settings(type(self))
        object.__setattr__(self, "strength", as_strength(self.strength))

    @property
    def saves(self) -> Saves:
        """What `pullback` reads of the array, hence what backward needs saved."""
        return "input"

    @property
    def label(self) -> str:
        """The name in keys and reports."""
        return type(self).__name__

    @property
    def reductions(self) -> tuple[Reduce, ...]:
        """The values of `reduce` that it has."""
        return REDUCTIONS

    @property
    def joins(self) -> bool:
        """True where the statistics of parts of a batch give that of the whole."""
        return True

    @property
    def differentiated(self) -> bool:
        """True where `pullback` is the array library's own differentiation of the statistic."""
        return False

    @property
    def takes_empty(self) -> bool:
        """True where `statistic` takes an empty array, and returns that of nothing."""
        return self.saves == "nothing"

    @property
    def for_weights_only(self) -> bool:
        """True where it is invalid on activations, being not additive over samples."""
        return False

    @property
    def for_gates_only(self) -> bool:
        """True where the slope makes sense only at a gate, which states its gradient's window."""
        return False

    @property
    def reads_samples(self) -> bool:
        """True where it matters which axis numbers samples."""
        return self.reduce == "batch_mean"

    @property
    def by_role(self) -> bool:
        """True where an axis is named by its role in a weight and has no number yet."""
        return False

    @property
    def joins_bias(self) -> bool:
        """True where the penalty of a kernel reads the bias of its module, too."""
        return False

    @property
    def adds_over_units(self) -> bool:
        """True where the penalty of all units is the sum over any two parts of them."""
        return self.sums_elements and self.reduce != "mean"

    def joint_axes(self, ndim: int) -> tuple[int, ...]:
        """Return the axes along which elements count together: steps of time, nodes, classes.

        Args:
            ndim: the number of dimensions of the array.
        """
        return ()

    def spans_samples(self, statistic: Array) -> bool:
        """Return whether the penalty of a batch is more than the sum over its samples.

        Args:
            statistic: what `statistic` returned first.
        """
        # a statistic that is only divided is such a sum
        return type(self).value is not Formula.value

    def check_shape(self, shape: tuple[int, ...]) -> None:
        """Raise unless an array of this shape has the axes that are named.

        Args:
            shape: the shape of the array.
        """
        normalise_axes(self.batch_axis, len(shape))

    def frame(self, xp: Namespace, x: Array, mask: Array | None) -> Frame:
        """Return how the elements of `x`, in the precision to accumulate in, become one number.

        Args:
            xp: the namespace of the array's library.
            x: the array, of the type float32 or wider.
            mask: the elements that count. None: all.
        """
        return Frame(xp, x.shape, x.dtype, self.reduce or "sum", self.batch_axis, mask)

    @abstractmethod
    def statistic(self, x: Array, frame: Frame) -> tuple[Array, tuple[Array, ...]]:
        """Return the statistic of `x`, and what else `pullback` needs.

        The statistic is a scalar, or has the dimensions of `x` with ones where it was reduced.

        Args:
            x: the array, in the precision to accumulate in, 0 where a mask is False.
            frame: its axes, denominators and namespace.
        """

    @abstractmethod
    def pullback(self, x: Array, saved: tuple[Array, ...], cotangent: Array, frame: Frame) -> Array:
        """Return the gradient with respect to `x` of (statistic · cotangent).

        Args:
            x: the array, in the precision to accumulate in, 0 where a mask is False.
            saved: what `statistic` returned second.
            cotangent: the derivative of the penalty for the statistic, in its shape.
            frame: its axes, denominators and namespace.
        """

    def squared_slope(self, saved: tuple[Array, ...], xp: Namespace) -> Array | None:
        """Return Σ (∂statistic/∂xᵢ)², if it follows from `saved`; None if it does not.

        A target then need not read the whole gradient.

        Args:
            saved: what `statistic` returned second.
            xp: the namespace of the array's library.
        """
        return None

    def denominator(self, frame: Frame) -> Denominator:
        """Return what the statistic is divided by; it depends on the shape and the mask alone.

        Args:
            frame: the axes and the mask of the array.
        """
        return frame.count

    def value(self, statistic: Array, denominator: Denominator, xp: Namespace) -> Array:
        """Return the penalty, a scalar.

        Args:
            statistic: what `statistic` returned first.
            denominator: what `denominator` returned.
            xp: the namespace of the array's library.
        """
        value = divide(xp, statistic, denominator)
        return value if value.ndim == 0 else xp.sum(value)

    def derivative(self, statistic: Array, denominator: Denominator, xp: Namespace) -> Array:
        """Return the derivative of `value` with respect to the statistic.

        Args:
            statistic: what `statistic` returned first.
            denominator: what `denominator` returned.
            xp: the namespace of the array's library.
        """
        return divide(xp, xp.ones_like(statistic), denominator)

    def proximal_step(
        self, x: Array, step: Step, strength: float, frame: Frame
    ) -> tuple[Array, Step]:
        """Return the proximal step from `x`, and the step left for the stages after.

        Args:
            x: the array, in the precision to accumulate in.
            step: a number, or an array that broadcasts to `x`.
            strength: used in place of the penalty's own.
            frame: how the elements become one number; it has no mask.
        """
        raise NotImplementedError

    def to_sum(self, statistic: Array, xp: Namespace) -> Array:
        """Return the form in which the statistics of parts of an array add up.

        Args:
            statistic: the statistic of a part.
            xp: the namespace of the array's library.
        """
        return statistic

    def from_sum(self, total: Array, xp: Namespace) -> Array:
        """Return the statistic of the whole array from the sum over its parts.

        Args:
            total: the sum of what `to_sum` returns of each part.
            xp: the namespace of the array's library.
        """
        return total
