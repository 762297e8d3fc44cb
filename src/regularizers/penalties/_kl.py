"""Sparsity as a distance from a wanted mean activation."""

from __future__ import annotations

import numbers
from dataclasses import dataclass, field
from typing import ClassVar

from regularizers.errors import ConfigurationError
from regularizers.penalties._formula import Saves
from regularizers.penalties._term import Term
from regularizers.penalties.arrays import Array, Denominator, Frame, Namespace, divide, live


@dataclass(frozen=True, repr=False)
class KLSparsity(Term):
    r"""How far each unit's mean activation over the batch is from a target.

    .. math:: p(x) = s \sum_j \rho \log\frac{\rho}{\hat\rho_j}
        + (1-\rho) \log\frac{1-\rho}{1-\hat\rho_j}, \qquad
        \hat\rho_j = \frac{1}{N} \sum_i x_{ij}

    .. math:: \frac{\partial p}{\partial x_{ij}} = \frac{s}{N}
        \left(\frac{1-\rho}{1-\hat\rho_j} - \frac{\rho}{\hat\rho_j}\right)

    It is meant for activations between 0 and 1, as a sigmoid's are. Where a mean leaves
    [ε, 1 − ε] the penalty goes on along its tangent, so that a dead or saturated unit still feels
    a pull; a mere clamp would give it none.

    It is a statistic of the batch: it is never divided by the batch size again.

    Args:
        strength: s, finite and not negative; a number, a schedule or a target.
        target: ρ, the wanted mean activation, between ε and 1 − ε.
        reduce: `"sum"` or `"batch_mean"`, the sum over units; `"mean"`, their average.
        batch_axis: the axis of samples, or several. None: 0, or what a module says of its output.
        epsilon: ε, where the tangent begins.

    Raises:
        ConfigurationError: a target or an epsilon out of range.

    Example:
        >>> import numpy as np
        >>> import regularizers as rz
        >>> codings = np.array([[0.1, 0.5], [0.1, 0.5]])
        >>> rz.KLSparsity(1.0, target=0.1).gradient(codings).round(3)
        array([[0. , 0.8],
               [0. , 0.8]])

    Source: Ng, "Sparse autoencoder", CS294A lecture notes, 2011.
    """

    target: float
    epsilon: float = field(default=1e-6, kw_only=True)

    saves: ClassVar[Saves] = "nothing"

    def __post_init__(self) -> None:
        super().__post_init__()
        _within(self, "epsilon", 0, 0.5)
        _within(self, "target", self.epsilon, 1 - self.epsilon)

    def statistic(self, x: Array, frame: Frame) -> tuple[Array, tuple[Array, ...]]:
        return frame.xp.sum(x, axis=frame.batch, keepdims=True), ()

    def pullback(self, x: Array, saved: tuple[Array, ...], cotangent: Array, frame: Frame) -> Array:
        return frame.xp.broadcast_to(cotangent, frame.shape)

    def spans_samples(self, statistic: Array) -> bool:
        return True

    @property
    def reads_samples(self) -> bool:
        return True

    @property
    def adds_over_units(self) -> bool:
        return self.reduce != "mean"

    def denominator(self, frame: Frame) -> Denominator:
        return frame.samples_per_unit

    def value(self, statistic: Array, denominator: Denominator, xp: Namespace) -> Array:
        rho, mean = self.target, divide(xp, statistic, denominator)
        on, off = self._clipped(mean, xp)
        divergence = rho * xp.log(rho / on) + (1 - rho) * xp.log((1 - rho) / off)
        # how far beyond the interval; above ½ by its complement, which float32 holds better
        beyond = xp.where(mean < 0.5, mean - on, off - (1 - mean))
        divergence = divergence + self._tangent(mean, xp) * beyond
        return xp.sum(self._of_live(divergence, denominator, xp)) / self._units(
            statistic, denominator, xp
        )

    def derivative(self, statistic: Array, denominator: Denominator, xp: Namespace) -> Array:
        tangent = self._tangent(divide(xp, statistic, denominator), xp)
        tangent = self._of_live(tangent, denominator, xp)
        return divide(xp, tangent, denominator) / self._units(statistic, denominator, xp)

    def _clipped(self, mean: Array, xp: Namespace) -> tuple[Array, Array]:
        """Return ρ̂ and 1 − ρ̂, each within [ε, 1 − ε]."""
        # both are clipped, since 1 - (1 - ε) is not ε in float32
        low, high = self.epsilon, 1 - self.epsilon
        return xp.clip(mean, low, high), xp.clip(1 - mean, low, high)

    def _tangent(self, mean: Array, xp: Namespace) -> Array:
        on, off = self._clipped(mean, xp)
        return (1 - self.target) / off - self.target / on

    @staticmethod
    def _of_live(x: Array, denominator: Denominator, xp: Namespace) -> Array:
        """Return `x` with 0 for a unit without samples."""
        counts: Array = denominator
        if isinstance(counts, int):
            return x if counts else 0 * x
        return xp.where(counts > 0, x, xp.zeros_like(x))

    def _units(self, statistic: Array, denominator: Denominator, xp: Namespace) -> Array:
        """Return how many units the sum is divided by."""
        return live(xp, statistic, denominator) if self.reduce == "mean" else 1


def _within(penalty: KLSparsity, name: str, low: float, high: float) -> None:
    """Make the setting `name` a float; raise unless it is a number between `low` and `high`."""
    value = getattr(penalty, name)
    real = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not (real and low <= float(value) < high and float(value) > 0):
        raise ConfigurationError(
            f"{name}: expected a number between {low} and {high}, got {value!r}"
        )
    object.__setattr__(penalty, name, float(value))
