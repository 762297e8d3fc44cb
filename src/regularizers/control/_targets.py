"""Strengths that are found: what is to be reached is stated instead."""

from __future__ import annotations

import math
import numbers
from abc import abstractmethod
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from regularizers.errors import ConfigurationError
from regularizers.penalties.arrays import Array, Frame, call_of
from regularizers.penalties.strength import Strength, check_strength


class Amount(NamedTuple):
    """A quantity of one batch: its sum over what it is counted in, and how many those are.

    Of several batches both add up, and the quantity is the ratio.
    """

    total: Array
    number: Any


@dataclass(frozen=True, repr=False)
class Target(Strength):
    """A strength that adapts until what is measured of its site is what is wanted."""

    initial: float = field(default=1e-3, kw_only=True)

    def __post_init__(self) -> None:
        object.__setattr__(self, "initial", check_strength(self.initial, "initial"))

    @property
    @abstractmethod
    def wanted(self) -> float:
        """The target, in the units of what is measured."""

    @property
    @abstractmethod
    def unit(self) -> str:
        """What is measured, in words that follow a number."""

    @abstractmethod
    def measure(self, x: Array, frame: Frame) -> Amount:
        """Return the quantity of `x`, in the precision to accumulate in, zeros where masked."""

    @abstractmethod
    def check(self, units: int, site: str) -> None:
        """Raise unless a site of so many units can reach the target."""

    def __repr__(self) -> str:
        return call_of(self)

    def __mul__(self, factor: float) -> Target:
        raise ConfigurationError(
            f"{self!r} finds its strength itself, so that multiplying it by {factor!r} would "
            f"change nothing; state another target"
        )


@dataclass(frozen=True, repr=False)
class TargetActive(Target):
    r"""As strong as it takes for a stated number of units to be active.

    .. math:: a = \frac{1}{N} \sum_i \#\{j : |x_{ij}| > \theta\}

    a is counted over the samples of all forwards between two steps; a unit is every element that
    is no batch axis, and with a mask only valid elements count.

    Args:
        units: how many are to be active on a sample, on average; above 0. Fractions of a unit can
            be asked for.
        fraction: instead of `units`, which share of them, between 0 and 1.
        threshold: θ. 0 counts what is not exactly 0, as after a ReLU.
        initial: the strength to begin with, brought to the scale of the loss.

    Raises:
        ConfigurationError: neither or both of `units` and `fraction`, or one that cannot be; at
            the first forward, more units than the site has.

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

    def measure(self, x: Array, frame: Frame) -> Amount:
        xp = frame.xp
        active = xp.sum(xp.astype(xp.abs(x) > self.threshold, frame.dtype))
        return Amount(active, frame.elements if self.units is None else frame.samples)

    def check(self, units: int, site: str) -> None:
        if self.units is not None and self.units > units:
            raise ConfigurationError(
                f"{site}: expected a target of {units} active units or fewer, which is all there "
                f"are, got {self.units:g}; for a share write TargetActive(fraction=0.1)"
            )


@dataclass(frozen=True, repr=False)
class TargetMean(Target):
    r"""As strong as it takes for the mean activation to be as stated.

    .. math:: a = \frac{1}{NU} \sum_{ij} |x_{ij}|

    Of a ReLU or a sigmoid that is the mean activation itself.

    Args:
        mean: what a is to be, above 0.
        initial: the strength to begin with, brought to the scale of the loss.

    Raises:
        ConfigurationError: a mean that is not above 0.

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

    def measure(self, x: Array, frame: Frame) -> Amount:
        return Amount(frame.xp.sum(frame.xp.abs(x)), frame.elements)

    def check(self, units: int, site: str) -> None:
        """Any mean can be, as far as is known beforehand."""


@dataclass(frozen=True, repr=False)
class TargetNorm(Target):
    r"""As strong as it takes for a sample's activations to have the stated norm, on average.

    .. math:: a = \frac{1}{N} \sum_i \sqrt{\sum_j x_{ij}^2}

    Args:
        norm: what a is to be, above 0.
        initial: the strength to begin with, brought to the scale of the loss.

    Raises:
        ConfigurationError: a norm that is not above 0.

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

    def measure(self, x: Array, frame: Frame) -> Amount:
        xp = frame.xp
        squares = xp.sum(x * x, axis=frame.units) if frame.units else x * x
        return Amount(xp.sum(xp.sqrt(squares)), frame.samples)

    def check(self, units: int, site: str) -> None:
        """Any norm can be, as far as is known beforehand."""


def check_target(value: object, name: str) -> float:
    """Return `value` as a float; raise unless it is a finite number above 0."""
    real = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not (real and 0 < float(value) < math.inf):  # type: ignore[arg-type]
        raise ConfigurationError(
            f"{name}: expected a finite number above 0, got {value!r}; what is to be 0 throughout "
            f"needs no penalty, but to be left out"
        )
    return float(value)  # type: ignore[arg-type]
