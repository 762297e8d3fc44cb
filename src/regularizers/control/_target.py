"""The base of targets: strengths that adapt until a measured quantity has a stated value."""

from __future__ import annotations

import math
import numbers
from abc import abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal

from regularizers.control._batch import Batch
from regularizers.control._law import Law
from regularizers.control._proportional_integral import ProportionalIntegral
from regularizers.errors import ConfigurationError, StrengthError, StrengthTypeError
from regularizers.penalties.arrays import Array, call_of
from regularizers.penalties.strength import (
    Schedule,
    Strength,
    StrengthLike,
    as_strength,
    check_strength,
)

EQUAL = ProportionalIntegral()
AT_MOST = ProportionalIntegral(least=1e-3)
"""The default laws; that of an inequality comes back sooner from where it has no effect."""


@dataclass(frozen=True, repr=False)
class Target(Strength):
    """A strength that adapts until the quantity measured at its site reaches a target.

    To write your own, define a frozen dataclass with `wanted`, the target, its `unit`, and
    `measure`, which measures an output. Masks, several forwards in a step, several processes, both
    deliveries and saved states then work.

    Args:
        initial: the initial strength; each law decides how it uses it.
        law: the law that sets the strength. None: `regularizers.control.ProportionalIntegral()`.
        at_most: reach the target or anything below it: the strength falls to next to nothing
            (1e-20) where the quantity stays below the target by itself.

    Raises:
        ConfigurationError: `law` is no `Law`, or `at_most` no boolean.
        StrengthError, StrengthTypeError: `initial` is negative, not finite, or no number.

    Example:
        >>> import dataclasses
        >>> import regularizers as rz
        >>> @dataclasses.dataclass(frozen=True)
        ... class MeanSquare(rz.Target):
        ...     wanted: float
        ...     unit = "mean square"
        ...
        ...     def measure(self, x, batch):
        ...         return batch.xp.sum(x * x), batch.elements
        >>> rule = rz.activity(rz.L2Squared(MeanSquare(0.5)), where="1")
    """

    initial: float = field(default=1e-3, kw_only=True)
    law: Law | None = field(default=None, kw_only=True)
    at_most: bool = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        if type(self.at_most) is not bool:
            raise ConfigurationError(f"at_most: expected True or False, got {self.at_most!r}")
        object.__setattr__(self, "initial", check_strength(self.initial, "initial"))
        law: object = self.law
        if not (law is None or isinstance(law, Law)):
            cure = f"; write {law.__name__}()" if isinstance(law, type) else ""
            raise ConfigurationError(
                f"law: expected a regularizers.Law, such as ProportionalIntegral(), got {law!r}"
                f"{cure}"
            )

    measures: ClassVar[Literal["output", "weights", "loss"]] = "output"
    """Whether the output of a module, the weights of proximal rules, or the loss is measured."""

    shares: ClassVar[bool] = False
    """Whether all weights of a rule have one strength; a loss has one for all rules."""

    headroom: ClassVar[float] = 1.0
    """How many times the scale an equilibrium may lie at."""

    limit: ClassVar[float] = math.inf
    """The largest value that a target may have."""

    if TYPE_CHECKING:
        # at run time a property would become the default of a subclass's field `wanted`
        @property
        def wanted(self) -> float | Schedule:
            """The target, above 0, in the unit of the measurement; or a schedule of it."""

    @property
    def unit(self) -> str:
        """The unit of the measurement, in words that follow a number."""
        return type(self).__name__

    @property
    def is_per_sample(self) -> bool:
        """Whether the measurement depends on the axes of samples; False for a mean."""
        return True

    @abstractmethod
    def measure(self, x: Array, batch: Batch) -> tuple[Array, int | Array]:
        """Return a sum and a count; their ratio is the measurement.

        Both are summed over the forwards of a step and over processes. Do not read their values
        here, since that would wait for the device.

        Args:
            x: the output, float32 or wider, and 0 where the mask is False.
            batch: the axes and the number of samples and elements, and the array functions
                `batch.xp`. In a Regularization PyTorch's own functions work too.

        Returns:
            The sum, an array of 0 dimensions; and its denominator: `batch.samples`,
            `batch.elements`, or another array of 0 dimensions. Neither is negative.
        """

    def as_falling(self, measured: Array, wanted: Array) -> tuple[Array, Array]:
        """Return both as numbers that fall as the strength grows, which the law is given.

        By default they do so by themselves. It computes each element alone.

        Args:
            measured: the measurement of a step.
            wanted: its target.
        """
        return measured, wanted

    @property
    def used_law(self) -> Law:
        """The law that sets the strength."""
        if self.law is not None:
            return self.law
        return AT_MOST if self.at_most else EQUAL

    def check(self, units: int, site: str) -> None:
        """Raise a `ConfigurationError` if a site with this many units cannot reach the target.

        By default it never raises.

        Args:
            units: the number of units of a sample.
            site: the name of the site, for the message.
        """

    def __repr__(self) -> str:
        return call_of(self)

    def __mul__(self, factor: float) -> Target:
        raise ConfigurationError(
            f"{self!r} finds its strength itself, so multiplying it by {factor!r} would change "
            f"nothing; state another target"
        )


def check_target(value: object, name: str) -> float:
    """Return `value` as a float; raise unless it is a finite number above 0.

    Args:
        value: what is given for a target.
        name: what it is called in the message.

    Raises:
        ConfigurationError: it is none.

    Example:
        >>> from regularizers.control import check_target
        >>> check_target(10, "units")
        10.0
    """
    real = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not (real and 0 < float(value) < math.inf):  # type: ignore[arg-type]
        raise ConfigurationError(
            f"{name}: expected a finite number above 0, got {value!r}; a quantity that must be 0 "
            f"everywhere needs no penalty: leave its module out"
        )
    return float(value)  # type: ignore[arg-type]


def check_wanted(value: StrengthLike, name: str) -> float | Schedule:
    """Return a target as a float above 0, or as a schedule that is above 0 at step 0.

    Args:
        value: a number, a schedule or a function of the step.
        name: what it is called in the message.

    Raises:
        ConfigurationError: it is none of these.

    Example:
        >>> import regularizers as rz
        >>> from regularizers.control import check_wanted
        >>> check_wanted(10, "units"), check_wanted(rz.Cosine(80, 20, steps=2000), "units")
        (10.0, Cosine(80.0, 20.0, 2000))
    """
    is_changing = isinstance(value, Strength) or callable(value)
    if not is_changing:
        return check_target(value, name)
    try:
        schedule = as_strength(value, name)
    except (StrengthError, StrengthTypeError) as error:
        raise ConfigurationError(
            f"{name}: expected a schedule of numbers above 0, got {value!r}: {error}"
        ) from None
    if not isinstance(schedule, Schedule):
        raise ConfigurationError(
            f"{name}: expected a number or a schedule, such as Cosine(80, 20, steps=2000), got "
            f"{value!r}"
        )
    check_target(schedule.at(0), f"{name}: {schedule!r} at step 0")
    return schedule
