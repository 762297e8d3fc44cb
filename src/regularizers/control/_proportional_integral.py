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

ROWS = (
    *("integral", "looked_on", "measured_total", "scale_total"),
    *("measured_weight", "scale_weight"),
)
"""The names of the state in the order of `ProportionalIntegral.advance`."""


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
        torch = _torch()
        given = [_tensor(state[name]) for name in ("initial", *ROWS)]
        given = torch.broadcast_tensors(*given)
        numbers = map(_tensor, (measured, wanted, scale))
        measured_, wanted_, scale_ = torch.broadcast_tensors(*numbers, given[0])[:3]
        rows, strength = self.advance(
            torch.stack(given[1:]),
            measured_,
            shares_of(wanted_),
            scale_,
            initial=given[0],
            has_begun=False,
        )
        now = {"initial": state["initial"], **dict(zip(ROWS, rows.unbind(), strict=True))}
        if isinstance(measured, torch.Tensor):
            return now, strength
        return {name: float(value) for name, value in now.items()}, float(strength)

    def advance(
        self, rows: Any, measured: Any, shares: Any, scale: Any, *, initial: Any, has_begun: bool
    ) -> tuple[Any, Any]:
        """Return what `update` returns of tensors, with the state in one of them.

        After a large kernel each operation costs microseconds, however small its arithmetic. So the
        averages advance together, and a law that is known to have begun needs fewer operations.

        Args:
            rows: the state in the order of `ROWS`, along the first axis.
            measured: the quantity.
            shares: what `shares_of` returns of the target.
            scale: the scale; if the law has begun, it is finite and above 0.
            initial: the initial strength.
            has_begun: whether every strength is known to have begun.
        """
        torch = _torch()
        one, usual_keep, offset = _constants(measured.shape, measured.device)
        seen, keep = one, usual_keep
        if not has_begun:
            scale = scale.nan_to_num(0.0, 0.0, 0.0)
            seen = scale.sign()
            kept = 1 - (1 - _KEEP_SCALE) * seen
            keep = torch.stack([one, usual_keep[1], kept, usual_keep[3], kept])
        given = torch.stack([seen, measured, scale, one, seen])
        averages = torch.addcmul(given, keep, rows[1:])
        # the ratio to the target, and the scale: NaN as long as there is none
        error, most = torch.addcmul(offset, shares, averages[1:3] / averages[3:]).log().unbind()
        e = error.clamp(-_LARGEST_ERROR, _LARGEST_ERROR)
        # where nothing is active the error does not tell how far to lower the strength
        moved = rows[0].addcmul(measured.sign(), e, value=self.integral)
        integral = moved.clamp(most + math.log(self.least), most)
        begins = None
        if not has_begun:
            began = rows[1] >= _OBSERVED_STEPS
            begins = averages[0] >= _OBSERVED_STEPS
            first = initial.log().clamp(*[most + math.log(share) for share in _FIRST])
            integral = torch.where(began, integral, first)
            integral = torch.where(begins, integral, rows[0])
        # below the target the ceiling is the scale, which a larger gain keeps to by itself
        above = e if self.proportional >= _ABOVE else e.clamp(min=0.0)
        ceiling = most.add(above, alpha=_ABOVE)
        strength = integral.add(e, alpha=self.proportional).minimum(ceiling).exp()
        now = torch.cat([integral.unsqueeze(0), averages])
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


def shares_of(wanted: Any) -> Any:
    """Return what the averages of the quantity and of the scale are multiplied by."""
    ratio = 1 / ((1 + _SOFTENING) * wanted)
    stacked: Any = _torch().stack([ratio, ratio.new_ones(ratio.shape)])
    return stacked


@functools.lru_cache(maxsize=64)
def _constants(shape: tuple[int, ...], device: Any) -> tuple[Any, Any, Any]:
    """Return 1, how much is kept of each average, and what is added to each share."""
    torch = _torch()
    scale = 1 - (1 - _KEEP_SCALE)
    columns = (
        [1.0, _KEEP_MEASURED, scale, _KEEP_MEASURED, scale],
        [_SOFTENING / (1 + _SOFTENING), 0.0],
    )
    with torch.inference_mode(False):
        keep, offset = [
            torch.tensor(column, dtype=torch.float64, device=device)
            .reshape(-1, *[1] * len(shape))
            .expand(-1, *shape)
            for column in columns
        ]
        return torch.ones(shape, dtype=torch.float64, device=device), keep, offset


def _tensor(value: Scalar) -> Any:
    torch = _torch()
    return value if isinstance(value, torch.Tensor) else torch.tensor(value, dtype=torch.float64)


@functools.cache
def _torch() -> Any:
    """Return PyTorch, which is loaded here and not with the settings of a law."""
    return importlib.import_module("torch")
