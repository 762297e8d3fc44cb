"""Targets: strengths that adapt until a measured quantity reaches a stated value."""

from __future__ import annotations

import math
import numbers
from abc import abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from regularizers.control._batch import Batch
from regularizers.control._law import Law
from regularizers.control._proportional_integral import ProportionalIntegral
from regularizers.errors import ConfigurationError
from regularizers.penalties.arrays import Array, call_of
from regularizers.penalties.strength import Schedule, Strength, check_strength

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


@dataclass(frozen=True, repr=False)
class TargetActive(Target):
    r"""A strength at which a stated number of units is active.

    .. math:: a = \frac{1}{N} \sum_i \#\{j : |x_{ij}| > \theta\}

    a is counted over the samples of all forwards between two steps. Units are the elements of a
    sample; with a mask only valid elements count.

    Args:
        units: the number of active units of a sample, on average; above 0, fractions allowed.
        fraction: instead of `units`, the share of all units, between 0 and 1.
        threshold: θ. 0 counts elements that are not exactly 0, as after a ReLU.
        initial: the initial strength, brought to the scale of the loss.
        law: the law that sets the strength, as in `Target`.

    Raises:
        ConfigurationError: neither or both of `units` and `fraction` are given, or they are out of
            range; at the first forward, `units` exceeds the units of the site.

    Example:
        >>> import regularizers as rz
        >>> import torch
        >>> model = torch.nn.Sequential(torch.nn.Linear(8, 32), torch.nn.ReLU())
        >>> reg = rz.Regularization(model, [rz.activity(rz.L1(rz.TargetActive(4)), where="1")])
        >>> optimizer = torch.optim.Adam(model.parameters())
        >>> reg.attach(optimizer)  # every step of the optimizer is one of the controller's
        >>> loss = model(torch.randn(16, 8)).sub(1).square().mean() + reg.penalty()
        >>> loss.backward()
        >>> optimizer.step()
        >>> reg.targets()["1/activity/L1"].wanted
        4.0
    """

    units: float | None = None
    fraction: float | None = field(default=None, kw_only=True)
    threshold: float = field(default=0.0, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.units is None) == (self.fraction is None):
            raise ConfigurationError(
                f"TargetActive: expected either a number of units, TargetActive(10), or a share, "
                f"TargetActive(fraction=0.1), got {self.units!r} and {self.fraction!r}"
            )
        if self.units is not None:
            object.__setattr__(self, "units", check_target(self.units, "TargetActive"))
        else:
            fraction = check_target(self.fraction, "TargetActive: fraction")
            if fraction > 1:
                raise ConfigurationError(
                    f"TargetActive: expected a fraction between 0 and 1, got {fraction:g}; for a "
                    f"number of units write TargetActive({fraction:g})"
                )
            object.__setattr__(self, "fraction", fraction)
        object.__setattr__(self, "threshold", check_strength(self.threshold, "threshold"))

    @property
    def wanted(self) -> float:
        return self.fraction if self.units is None else self.units  # type: ignore[return-value]

    @property
    def unit(self) -> str:
        return "of the units active" if self.units is None else "units active"

    @property
    def is_per_sample(self) -> bool:
        return self.units is not None

    def measure(self, x: Array, batch: Batch) -> tuple[Array, int | Array]:
        xp, size = batch.xp, batch.xp.abs(x)
        if self.threshold:
            size = xp.clip(size - self.threshold, min=0.0)
        # on a CPU comparing takes ten times as long as the sign
        return xp.sum(xp.sign(size)), batch.elements if self.units is None else batch.samples

    def check(self, units: int, site: str) -> None:
        if self.units is not None and self.units > units:
            raise ConfigurationError(
                f"{site}: expected a target of {units} active units or fewer, which is all there "
                f"are, got {self.units:g}; for a share write TargetActive(fraction=0.1)"
            )


@dataclass(frozen=True, repr=False)
class TargetMean(Target):
    r"""A strength at which the mean activation has a stated value.

    .. math:: a = \frac{1}{NU} \sum_{ij} |x_{ij}|

    For a ReLU or a sigmoid a is the mean activation itself.

    Args:
        mean: the target of a, above 0.
        initial: the initial strength, brought to the scale of the loss.
        law: the law that sets the strength, as in `Target`.

    Raises:
        ConfigurationError: the mean is not above 0.

    Example:
        >>> import regularizers as rz
        >>> rz.L1(rz.TargetMean(0.1))
        L1(TargetMean(0.1))
    """

    mean: float

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "mean", check_target(self.mean, "TargetMean"))

    @property
    def wanted(self) -> float:
        return self.mean

    @property
    def unit(self) -> str:
        return "mean activation"

    @property
    def is_per_sample(self) -> bool:
        return False

    def measure(self, x: Array, batch: Batch) -> tuple[Array, int | Array]:
        return batch.xp.sum(batch.xp.abs(x)), batch.elements


@dataclass(frozen=True, repr=False)
class TargetNorm(Target):
    r"""A strength at which the activations of a sample have a stated norm, on average.

    .. math:: a = \frac{1}{N} \sum_i \sqrt{\sum_j x_{ij}^2}

    Args:
        norm: the target of a, above 0.
        initial: the initial strength, brought to the scale of the loss.
        law: the law that sets the strength, as in `Target`.

    Raises:
        ConfigurationError: the norm is not above 0.

    Example:
        >>> import regularizers as rz
        >>> rz.L2Squared(rz.TargetNorm(5.0))
        L2Squared(TargetNorm(5.0))
    """

    norm: float

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "norm", check_target(self.norm, "TargetNorm"))

    @property
    def wanted(self) -> float:
        return self.norm

    @property
    def unit(self) -> str:
        return "norm"

    def measure(self, x: Array, batch: Batch) -> tuple[Array, int | Array]:
        xp, axes = batch.xp, batch.unit_axes
        squares = xp.sum(x * x, axis=axes) if axes else x * x
        return xp.sum(xp.sqrt(squares)), batch.samples


def check_target(value: object, name: str) -> float:
    """Return `value` as a float; raise unless it is a finite number above 0."""
    real = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not (real and 0 < float(value) < math.inf):  # type: ignore[arg-type]
        raise ConfigurationError(
            f"{name}: expected a finite number above 0, got {value!r}; a quantity that must be 0 "
            f"everywhere needs no penalty: leave its module out"
        )
    return float(value)  # type: ignore[arg-type]
