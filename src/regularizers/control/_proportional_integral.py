"""The default law of all targets."""

from __future__ import annotations

import functools
import importlib
import math
from dataclasses import dataclass
from typing import Any, ClassVar

from regularizers.control._law import QUIET, Law, Scalar, State
from regularizers.errors import ConfigurationError
from regularizers.penalties.arrays import check_not_negative

_OBSERVED_STEPS = 10
_KEEP_MEASURED = 1 - 1 / 10
_KEEP_SCALE = 1 - 1 / 20
_LARGEST_ERROR = 1.0
_SOFTENING = 0.01
_FIRST = (0.05, 0.2)  # times the scale
_ABOVE = 0.4  # at the largest error the strength may be 1.5 times the scale


@dataclass(frozen=True, repr=False, kw_only=True)
class ProportionalIntegral(Law):
    r"""Drives a measured quantity to a target by the strength of the penalty that pulls it down.

    At the scale the gradients of penalty and loss have the same norm. With a the moving average of
    the quantity over 10 steps, s the moving average of the scale over 20, and T the target,

    .. math:: e = \mathrm{clip}\left(\log\frac{a + 0.01\,T}{1.01\,T}, -1, 1\right), \qquad
        L \leftarrow \mathrm{clip}(L + k_I\,e,\; \log 10^{-6} s,\; \log s), \qquad
        \lambda = e^{\min(L + k_P\,e,\; \log s + 0.4 \max(e, 0))}

    The law only observes for ten steps. It then begins at `initial`, clipped to between a twentieth
    and a fifth of the scale. No equilibrium lies above the scale, so the integral stops there. On
    the way down the strength may be up to 1.5 times the scale.

    Args:
        proportional: k_P, the gain of the current error on log λ.
        integral: k_I, the gain of the accumulated error on log λ.
        least: the least integral, as a share of the scale; 1e-6 in the formula.

    Raises:
        ConfigurationError: a gain is negative or not finite, or `least` is not between 0 and 1.

    Example:
        >>> import regularizers as rz
        >>> from regularizers.control import ProportionalIntegral
        >>> rz.TargetActive(10, law=ProportionalIntegral(integral=0.05))
        TargetActive(10.0, law=ProportionalIntegral(integral=0.05))
    """

    proportional: float = 2.0
    integral: float = 0.1
    least: float = 1e-6

    elementwise: ClassVar[bool] = True

    def __post_init__(self) -> None:
        for name in ("proportional", "integral", "least"):
            object.__setattr__(self, name, check_not_negative(getattr(self, name), name))
        if not 0 < self.least < 1:
            raise ConfigurationError(
                f"least: expected a share of the scale, between 0 and 1, got {self.least!r}"
            )

    def init(self, initial: Scalar) -> State:
        nothing = initial * 0.0
        return {
            "initial": initial,
            "integral": nothing,
            "looked_on": nothing,
            "measured_total": nothing,
            "measured_weight": nothing,
            "scale_total": nothing,
            "scale_weight": nothing,
        }

    def update(
        self, state: State, measured: Scalar, wanted: Scalar, scale: Scalar
    ) -> tuple[State, Scalar]:
        if not isinstance(measured, _torch().Tensor):
            given = {name: _tensor(value) for name, value in state.items()}
            return _as_numbers(*self.update(given, *map(_tensor, (measured, wanted, scale))))
        return self.advance(state, measured, wanted, scale, has_begun=False)

    def advance(
        self, state: State, measured: Scalar, wanted: Scalar, scale: Scalar, *, has_begun: bool
    ) -> tuple[State, Scalar]:
        """Return what `update` returns, in fewer operations if the law is known to have begun.

        After a large kernel each operation costs microseconds, however small its arithmetic.
        """
        torch = _torch()
        now = dict(state)
        scale = scale.nan_to_num(0.0, 0.0, 0.0)
        seen = scale.sign()
        kept = 1 - (1 - _KEEP_SCALE) * seen
        now["measured_total"] = measured.add(now["measured_total"], alpha=_KEEP_MEASURED)
        now["measured_weight"] = _KEEP_MEASURED * now["measured_weight"] + 1
        now["scale_total"] = torch.addcmul(scale, kept, now["scale_total"])
        now["scale_weight"] = torch.addcmul(seen, kept, now["scale_weight"])
        now["looked_on"] = now["looked_on"] + seen
        most = (now["scale_total"] / now["scale_weight"]).log()  # NaN as long as there is no scale
        ratio = now["measured_total"] / (now["measured_weight"] * wanted)
        e = ((ratio + _SOFTENING) / (1 + _SOFTENING)).log()
        e = e.clamp(-_LARGEST_ERROR, _LARGEST_ERROR)
        # where nothing is active the error does not tell how far to lower the strength
        moved = now["integral"].addcmul(measured.sign(), e, value=self.integral)
        integral = moved.clamp(most + math.log(self.least), most)
        begins = None
        if not has_begun:
            began = state["looked_on"] >= _OBSERVED_STEPS
            begins = now["looked_on"] >= _OBSERVED_STEPS
            first = now["initial"].log().clamp(*[most + math.log(share) for share in _FIRST])
            integral = torch.where(began, integral, first)
            integral = torch.where(begins, integral, now["integral"])
        now["integral"] = integral
        ceiling = most.add(e.clamp(min=0.0), alpha=_ABOVE)
        strength = integral.add(e, alpha=self.proportional).minimum(ceiling).exp()
        return now, strength if begins is None else torch.where(begins, strength, QUIET)

    def at_most(self, state: State) -> Scalar:
        """Return whether the integral is at the scale, the largest strength with an equilibrium."""
        return _integral_of(state) >= _most_of(state)

    def at_least(self, state: State) -> Scalar:
        """Return whether the integral is at its lower bound, where the penalty has no effect."""
        return _integral_of(state) <= _most_of(state) + math.log(self.least)


def _most_of(state: State) -> Any:
    """Return the logarithm of the average of the scale."""
    return (_tensor(state["scale_total"]) / _tensor(state["scale_weight"])).log()


def _integral_of(state: State) -> Any:
    """Return the integral; NaN as long as the law only observes."""
    observes = _tensor(state["looked_on"]) < _OBSERVED_STEPS
    return _tensor(state["integral"]).masked_fill(observes, math.nan)


def _as_numbers(state: State, strength: Scalar) -> tuple[State, Scalar]:
    return {name: float(value) for name, value in state.items()}, float(strength)


def _tensor(value: Scalar) -> Any:
    torch = _torch()
    return value if isinstance(value, torch.Tensor) else torch.tensor(value, dtype=torch.float64)


@functools.cache
def _torch() -> Any:
    """Return PyTorch, which is loaded here and not with the settings of a law."""
    return importlib.import_module("torch")
