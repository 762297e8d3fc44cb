"""Targets of a module's output: active units, mean activation, norm."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from regularizers.control._batch import Batch
from regularizers.control._target import Target, check_wanted
from regularizers.errors import ConfigurationError
from regularizers.penalties.arrays import Array
from regularizers.penalties.strength import Schedule, StrengthLike, check_strength


@dataclass(frozen=True, repr=False)
class TargetActive(Target):
    r"""A strength at which a stated number of units is active.

    .. math:: a = \frac{1}{N} \sum_i \#\{j : |x_{ij}| > \theta\}

    a is counted over the samples of all forwards between two steps. Units are the elements of a
    sample; with a mask only valid elements count. It is NaN where an element is NaN or infinite.

    Args:
        units: the number of active units of a sample, on average; above 0, fractions allowed. A
            schedule changes it by the step: `TargetActive(Cosine(80, 20, steps=2000))`.
        fraction: instead of `units`, the share of all units, between 0 and 1.
        threshold: θ. 0 counts elements that are not exactly 0, as after a ReLU.
        initial: the initial strength, brought to the scale of the loss.
        law: the law that sets the strength. None: `ProportionalIntegral()`.
        at_most: reach the target or anything below it.

    Raises:
        ConfigurationError: neither or both of `units` and `fraction` are given, or they are out of
            range; at the first forward, `units` exceeds the units of the site.

    Example:
        >>> import regularizers as rz
        >>> import torch
        >>> model = torch.nn.Sequential(torch.nn.Linear(8, 32), torch.nn.ReLU())
        >>> reg = rz.Regularization(model, [rz.activity(rz.L1(rz.TargetActive(4)), where="1")])
        >>> optimizer = torch.optim.Adam(model.parameters())
        >>> reg.attach(optimizer)  # every step of the optimizer adjusts the strength
        >>> loss = model(torch.randn(16, 8)).sub(1).square().mean() + reg.penalty()
        >>> loss.backward()
        >>> optimizer.step()
        >>> reg.targets()["1/activity/L1"].wanted
        4.0
    """

    units: StrengthLike | None = None
    fraction: StrengthLike | None = field(default=None, kw_only=True)
    threshold: float = field(default=0.0, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.units is None) == (self.fraction is None):
            raise ConfigurationError(
                f"TargetActive: expected either a number of units, TargetActive(10), or a share, "
                f"TargetActive(fraction=0.1), got {self.units!r} and {self.fraction!r}"
            )
        if self.units is not None:
            object.__setattr__(self, "units", check_wanted(self.units, "TargetActive"))
        elif self.fraction is not None:
            fraction = check_wanted(self.fraction, "TargetActive: fraction")
            if isinstance(fraction, float) and fraction > 1:
                raise ConfigurationError(
                    f"TargetActive: expected a fraction between 0 and 1, got {fraction:g}; for a "
                    f"number of units write TargetActive({fraction:g})"
                )
            object.__setattr__(self, "fraction", fraction)
        object.__setattr__(self, "threshold", check_strength(self.threshold, "threshold"))

    @property
    def wanted(self) -> float | Schedule:
        return self.fraction if self.units is None else self.units  # type: ignore[return-value]

    @property
    def limit(self) -> float:  # type: ignore[override]
        return 1.0 if self.units is None else math.inf

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
        # on a CPU comparing takes ten times as long as the sign, which of NaN is 0; the sum is NaN
        active = xp.sum(xp.sign(size)) + 0 * xp.sum(size)
        return active, batch.elements if self.units is None else batch.samples

    def check(self, units: int, site: str) -> None:
        if self.units is None:
            return
        wanted = self.units.at(0) if isinstance(self.units, Schedule) else self.units
        assert isinstance(wanted, float | int)
        if wanted > units:
            raise ConfigurationError(
                f"{site}: expected a target of {units} active units or fewer, which is all there "
                f"are, got {wanted:g}; for a share write TargetActive(fraction=0.1)"
            )


@dataclass(frozen=True, repr=False)
class TargetMean(Target):
    r"""A strength at which the mean activation has a stated value.

    .. math:: a = \frac{1}{NU} \sum_{ij} |x_{ij}|

    For a ReLU or a sigmoid a is the mean activation itself.

    Args:
        mean: the target of a, above 0; or a schedule of it.
        initial: the initial strength, brought to the scale of the loss.
        law: the law that sets the strength. None: `ProportionalIntegral()`.
        at_most: reach the target or anything below it.

    Raises:
        ConfigurationError: the mean is not above 0.

    Example:
        >>> import regularizers as rz
        >>> rz.L1(rz.TargetMean(0.1))
        L1(TargetMean(0.1))
    """

    mean: StrengthLike

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "mean", check_wanted(self.mean, "TargetMean"))

    @property
    def wanted(self) -> float | Schedule:
        return self.mean  # type: ignore[return-value]

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
        norm: the target of a, above 0; or a schedule of it.
        initial: the initial strength, brought to the scale of the loss.
        law: the law that sets the strength. None: `ProportionalIntegral()`.
        at_most: reach the target or anything below it.

    Raises:
        ConfigurationError: the norm is not above 0.

    Example:
        >>> import regularizers as rz
        >>> rz.L2Squared(rz.TargetNorm(5.0))
        L2Squared(TargetNorm(5.0))
    """

    norm: StrengthLike

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "norm", check_wanted(self.norm, "TargetNorm"))

    @property
    def wanted(self) -> float | Schedule:
        return self.norm  # type: ignore[return-value]

    @property
    def unit(self) -> str:
        return "norm"

    def measure(self, x: Array, batch: Batch) -> tuple[Array, int | Array]:
        xp, axes = batch.xp, batch.unit_axes
        norms = xp.linalg.vector_norm(x, axis=axes) if axes else xp.abs(x)
        return xp.sum(norms), batch.samples
