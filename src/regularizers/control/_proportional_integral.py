"""The default law of all targets."""

from __future__ import annotations

import math
from dataclasses import dataclass

from regularizers.control._average import Average
from regularizers.control._law import QUIET, Law, Scalar, State
from regularizers.penalties.arrays import check_not_negative

_OBSERVED_STEPS = 10
_LARGEST_ERROR = 1.0
_SOFTENING = 0.01
_FIRST = (0.05, 0.2)  # times the scale
_LEAST = 1e-6  # times the scale


@dataclass(frozen=True, repr=False, kw_only=True)
class ProportionalIntegral(Law):
    r"""Drives a measured quantity to a target by the strength of the penalty that pulls it down.

    At the scale the gradients of penalty and loss have the same norm. With a the moving average of
    the quantity over 10 steps, s the moving average of the scale over 20, and T the target,

    .. math:: e = \mathrm{clip}\left(\log\frac{a + 0.01\,T}{1.01\,T}, -1, 1\right), \qquad
        L \leftarrow \mathrm{clip}(L + k_I\,e,\; \log 10^{-6} s,\; \log s), \qquad
        \lambda = e^{\min(L + k_P\,e,\; \log s)}

    The law only observes for ten steps. It then begins at `initial`, clipped to between a twentieth
    and a fifth of the scale. No equilibrium lies above the scale, so the integral stops there.

    Args:
        proportional: k_P, the gain of the current error on log λ.
        integral: k_I, the gain of the accumulated error on log λ.

    Raises:
        ConfigurationError: a gain is negative or not finite.

    Example:
        >>> import regularizers as rz
        >>> from regularizers.control import ProportionalIntegral
        >>> rz.TargetActive(10, law=ProportionalIntegral(integral=0.05))
        TargetActive(10.0, law=ProportionalIntegral(integral=0.05))
    """

    proportional: float = 2.0
    integral: float = 0.1

    def __post_init__(self) -> None:
        for name in ("proportional", "integral"):
            object.__setattr__(self, name, check_not_negative(getattr(self, name), name))

    def init(self, initial: Scalar) -> State:
        return {
            "initial": float(initial),
            "integral": 0.0,
            "looked_on": 0.0,
            "measured_total": 0.0,
            "measured_weight": 0.0,
            "scale_total": 0.0,
            "scale_weight": 0.0,
        }

    def update(
        self, state: State, measured: Scalar, wanted: Scalar, scale: Scalar
    ) -> tuple[State, Scalar]:
        now = {name: float(value) for name, value in state.items()}
        measured, wanted, scale = float(measured), float(wanted), float(scale)
        a, s = _averages(now)
        a.add(measured)
        has_begun = now["looked_on"] >= _OBSERVED_STEPS
        if 0 < scale < math.inf:
            s.add(scale)
            now["looked_on"] += 1
        strength = QUIET
        if now["looked_on"] >= _OBSERVED_STEPS:
            e, integral, most = _error(a.mean / wanted), now["integral"], math.log(s.mean)
            if not has_begun:
                first = min(max(now["initial"], _FIRST[0] * s.mean), _FIRST[1] * s.mean)
                integral = math.log(first)
            elif measured > 0:  # at 0 the error does not tell how far to lower the strength
                integral = min(integral + self.integral * e, most)
                integral = max(integral, math.log(_LEAST * s.mean))
            now["integral"] = integral
            strength = math.exp(min(integral + self.proportional * e, most))
        now["measured_total"], now["measured_weight"] = a.total, a.weight
        now["scale_total"], now["scale_weight"] = s.total, s.weight
        return now, strength

    def at_most(self, state: State) -> Scalar:
        """Return whether the integral is at the scale, the largest strength with an equilibrium."""
        scale = _scale_of(state)
        return scale is not None and float(state["integral"]) >= math.log(scale)

    def at_least(self, state: State) -> Scalar:
        """Return whether the integral is at its lower bound, where the penalty has no effect."""
        scale = _scale_of(state)
        return scale is not None and float(state["integral"]) <= math.log(_LEAST * scale)


def _averages(now: State) -> tuple[Average, Average]:
    """Return the averages of the measurement and of the scale."""
    return (
        Average(10, float(now["measured_total"]), float(now["measured_weight"])),
        Average(20, float(now["scale_total"]), float(now["scale_weight"])),
    )


def _scale_of(state: State) -> float | None:
    """Return the average of the scale; None while the law only observes."""
    if float(state["looked_on"]) < _OBSERVED_STEPS:
        return None
    return float(state["scale_total"]) / float(state["scale_weight"])


def _error(ratio: float) -> float:
    """Return the logarithm of measurement over target, softened near 0 and clipped."""
    softened = (ratio + _SOFTENING) / (1 + _SOFTENING)
    return min(max(math.log(softened), -_LARGEST_ERROR), _LARGEST_ERROR)
