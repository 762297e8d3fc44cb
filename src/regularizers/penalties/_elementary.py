"""What one must say to be a penalty: a statistic, a function of it, and their derivatives."""

from __future__ import annotations

import dataclasses
from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Literal, Self, TypeAlias

from regularizers.penalties._penalty import Reduced
from regularizers.penalties._shrinkage import Stage, Step
from regularizers.penalties._subclass import check_settings
from regularizers.penalties.arrays import Array, Frame, Namespace, Tally, normalise_axes, per
from regularizers.penalties.strength import StrengthLike, as_strength, is_factor

Keeps: TypeAlias = Literal["input", "sign", "nothing"]
"""What of an array a backward pass saves."""


@dataclass(frozen=True, repr=False)
class Elementary(Reduced):
    """A penalty with one strength, which says its mathematics once, for a strength of 1.

    The penalty is a function of a small statistic of the array, p(x) = value(measure(x)), and its
    gradient follows by the chain rule: pullback(x, derivative(measure(x))). Only `measure` and
    `pullback` read the array. They are given it in the precision to accumulate in, with zeros
    where a mask is False. They are all that a penalty must say: its value is the statistic divided
    by the tally, and `value` and `derivative` need only be declared where it is another function
    of it; `super().value(...)` is the statistic divided. One of these that does not read its tally
    is divided by it all the same.

    A subclass declares both halves of a formula, a function and its derivative, and its settings
    as fields of a frozen dataclass. Of another formula it inherits no kernel and no proximal step.

    Of an array in several parts, such as a batch on several processes, the statistics add up, in
    the form that `to_sum` gives them, and so do the tallies.
    """

    strength: StrengthLike

    stage: ClassVar[Stage | None] = None
    """What its proximal step acts on; None if it has none in closed form."""

    slope_is_sign: ClassVar[bool] = False
    """Whether the derivative of the statistic is the sign of each element."""

    sums_elements: ClassVar[bool] = False
    """Whether it is the sum of a function of each element, divided by the tally."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_settings(type(self))
        object.__setattr__(self, "strength", as_strength(self.strength))

    @property
    def terms(self) -> tuple[Elementary, ...]:
        return (self,)

    def __mul__(self, factor: float) -> Self:
        if not is_factor(factor):
            return NotImplemented
        return dataclasses.replace(self, strength=as_strength(self.strength) * factor)

    @property
    def keeps(self) -> Keeps:
        """What of the array `pullback` reads: what a backward pass must save."""
        return "input"

    @property
    def for_weights_only(self) -> bool:
        """Whether it is no penalty of activities: of a batch it is no sum over any parts of it."""
        return False

    @property
    def by_role(self) -> bool:
        """Whether an axis is named by what it numbers in a weight, and has no number yet."""
        return False

    def lies_in_pieces(self, x: Array, *written: Array) -> bool:
        """Return whether it can take `x` piece by piece, as `Piecewise` says.

        `written` are arrays of its shape that are to be written together with it.
        """
        return False

    def check_shape(self, shape: tuple[int, ...]) -> None:
        """Raise unless an array of this shape has the axes that are named."""
        normalise_axes(self.batch_axis, len(shape))

    def frame(self, xp: Namespace, x: Array, mask: Array | None) -> Frame:
        """Return how the elements of `x`, in the precision to accumulate in, become one number."""
        return Frame(xp, x.shape, x.dtype, self.reduce or "sum", self.batch_axis, mask)

    @abstractmethod
    def measure(self, x: Array, frame: Frame) -> tuple[Array, tuple[Array, ...]]:
        """Return the statistic of `x`, and what else `pullback` needs to know.

        The statistic is a scalar, or has the dimensions of `x` with ones where it was reduced.
        """

    @abstractmethod
    def pullback(self, x: Array, kept: tuple[Array, ...], cotangent: Array, frame: Frame) -> Array:
        """Return the gradient with respect to `x` of (statistic · cotangent)."""

    @property
    def adds_over_units(self) -> bool:
        """Whether the penalty of all units is the sum over any two parts of them."""
        return self.sums_elements and self.reduce != "mean"

    def spans_samples(self, statistic: Array) -> bool:
        """Return whether the penalty of a batch is more than the sum over its samples."""
        # a statistic that is only divided is one
        return type(self).value is not Elementary.value

    def tally(self, frame: Frame) -> Tally:
        """Return what the statistic is divided by, as far as it depends on the array's shape."""
        return frame.count

    def value(self, statistic: Array, tally: Tally, xp: Namespace) -> Array:
        """Return the penalty, a scalar."""
        value = per(xp, statistic, tally)
        return value if value.ndim == 0 else xp.sum(value)

    def derivative(self, statistic: Array, tally: Tally, xp: Namespace) -> Array:
        """Return the derivative of `value` with respect to the statistic."""
        return per(xp, xp.ones_like(statistic), tally)

    def shrink(self, x: Array, step: Step, strength: float, frame: Frame) -> tuple[Array, Step]:
        """Return the proximal step from `x`, and the step left for the stages after.

        Args:
            x: the array, in the precision to accumulate in.
            step: a number, or an array that broadcasts to `x`.
            strength: what takes the place of the penalty's own.
            frame: how the elements become one number; it has no mask.
        """
        raise NotImplementedError

    def to_sum(self, statistic: Array, xp: Namespace) -> Array:
        """Return the form in which statistics of several parts of an array add up."""
        return statistic

    def from_sum(self, total: Array, xp: Namespace) -> Array:
        """Return the statistic of the whole array from the sum over its parts."""
        return total
