"""The default law of all targets."""

from __future__ import annotations

import functools
import importlib
import math
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

from regularizers.control._law import QUIET, Law, Scalar, State
from regularizers.control._packed import Packed
from regularizers.errors import ConfigurationError
from regularizers.penalties.arrays import check_not_negative

_OBSERVED_STEPS = 10
_KEEP_MEASURED = 1 - 1 / 10
_KEEP_SCALE = 1 - 1 / 20
_LARGEST_ERROR = 1.0
_SOFTENING = 0.01
_FIRST = 0.2  # the largest strength to begin with, times the scale
_ABOVE = 0.4  # at the largest error the strength may be 1.5 times the scale


@dataclass(frozen=True, repr=False, kw_only=True)
class ProportionalIntegral(Law):
    r"""Drives a measured quantity to a target by the strength of the penalty that pulls it down.

    At the scale the gradients of penalty and loss have the same norm. With a the moving average of
    the quantity over 10 steps, s the moving average of the scale over 20, and T the target,

    .. math:: e = \mathrm{clip}\left(\log\frac{a + 0.01\,T}{1.01\,T}, -1, 1\right), \qquad
        L \leftarrow \mathrm{clip}(L + k_I\,e,\; \log 10^{-6} s,\; \log s), \qquad
        \lambda = e^{\min(L + k_P\,e,\; \log s + 0.4 \max(e, 0))}

    The law only observes for ten steps. It then begins at `initial`, clipped to between `begin`
    times the scale and a fifth of it. No equilibrium lies above the scale, so the integral stops
    there. On the way down the strength may be up to 1.5 times the scale.

    Args:
        proportional: k_P, the gain of the current error on log λ.
        integral: k_I, the gain of the accumulated error on log λ.
        least: the least integral, as a share of the scale; 1e-6 in the formula.
        begin: the least strength to begin with, as a share of the scale; a lower one is for a
            quantity that begins near its target, from which a strong pull would take it away.

    Raises:
        ConfigurationError: a gain is negative or not finite; `least` is not between 0 and 1; or
            `begin` not between 0 and 0.2.

    Example:
        >>> import regularizers as rz
        >>> from regularizers.control import ProportionalIntegral
        >>> rz.TargetActive(10, law=ProportionalIntegral(integral=0.05))
        TargetActive(10.0, law=ProportionalIntegral(integral=0.05))
    """

    proportional: float = 2.0
    integral: float = 0.1
    least: float = 1e-6
    begin: float = 0.05

    elementwise: ClassVar[bool] = True

    def __post_init__(self) -> None:
        for name in ("proportional", "integral", "least", "begin"):
            object.__setattr__(self, name, check_not_negative(getattr(self, name), name))
        if not 0 < self.least < 1:
            raise ConfigurationError(
                f"least: expected a share of the scale, between 0 and 1, got {self.least!r}"
            )
        if not 0 < self.begin <= _FIRST:
            raise ConfigurationError(
                f"begin: expected a share of the scale above 0 and at most {_FIRST}, got "
                f"{self.begin!r}"
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
        given = [_tensor(x) for x in (*state.values(), measured, wanted, scale)]
        *before, of_measured, of_wanted, of_scale = torch.broadcast_tensors(*given)
        packed = Packed.of(dict(zip(state, before, strict=True)))
        after, strength, _ = self.advance(
            packed,
            of_measured,
            shares_of(of_wanted),
            of_scale,
            Constants.on(of_measured),
            has_begun=False,
        )
        now = after.named()
        if isinstance(measured, torch.Tensor):
            return now, strength
        return {name: float(value) for name, value in now.items()}, float(strength)

    def advance(
        self,
        state: Packed,
        measured: Any,
        shares: Any,
        scale: Any,
        constants: Constants,
        *,
        has_begun: bool,
    ) -> tuple[Packed, Any, Any]:
        """Return what `update` returns of tensors, and how far the integral is under the scale.

        The last is the logarithm of their ratio; NaN as long as the law only observes.

        After a large kernel each operation costs microseconds, however small its arithmetic, and
        the first of its kind most. So both averages advance together, by few kinds of operations,
        and fewer if the law is known to have begun.

        Args:
            state: the state.
            measured: the quantity.
            shares: what `shares_of` returns of the target.
            scale: the scale; if the law has begun, it is finite and above 0.
            constants: those on the device of the quantity.
            has_begun: whether every strength is known to have begun.
        """
        torch = _torch()
        one, keep, offset = constants
        seen, more = 1.0, one
        if not has_begun:
            scale = scale.nan_to_num(0.0, 0.0, 0.0)
            seen = scale.sign()
            keep = torch.stack([keep[0], 1 - (1 - _KEEP_SCALE) * seen])
            more = torch.stack([one[0], seen])
        totals = torch.addcmul(torch.stack([measured, scale]), keep, state.totals)
        weights = torch.addcmul(more, keep, state.weights)
        looked_on = state.looked_on + seen
        # the ratio to the target, and the scale: NaN as long as there is none
        error, most = torch.addcmul(offset, shares, totals / weights).log().unbind()
        e = error.clamp(-_LARGEST_ERROR, _LARGEST_ERROR)
        # where nothing is active the error does not tell how far to lower the strength
        moved = state.integral.addcmul(measured.sign(), e, value=self.integral)
        share = (moved - most).clamp(math.log(self.least), 0.0)
        if not has_begun:
            begins, began = looked_on >= _OBSERVED_STEPS, state.looked_on >= _OBSERVED_STEPS
            least, greatest = [most + math.log(share) for share in (self.begin, _FIRST)]
            share = torch.where(began, share, state.initial.log().clamp(least, greatest) - most)
        integral = most + share
        # below the target the ceiling is the scale, which a larger gain keeps to by itself
        ceiling, gain = e, self.proportional - _ABOVE
        if gain < 0:
            ceiling, gain = e.clamp(min=0.0), self.proportional
            share = share.sub(ceiling, alpha=_ABOVE)
        under = share.add(e, alpha=gain).clamp(max=0.0)
        strength = most.add(ceiling, alpha=_ABOVE).add(under).exp()
        if not has_begun:
            integral = torch.where(begins, integral, state.integral)
            strength = torch.where(begins, strength, QUIET)
            share = torch.where(begins, share, math.nan)
        return Packed(state.initial, integral, looked_on, totals, weights), strength, share

    def ends(self, share: Any) -> tuple[Any, Any]:
        """Return `at_most` and `at_least` of the last that `advance` returned.

        Args:
            share: the logarithm of integral over scale, the third of what `advance` returns.
        """
        return share >= 0, share <= math.log(self.least)

    def at_most(self, state: State) -> Scalar:
        """Return whether the integral is at the scale, the largest strength with an equilibrium.

        Args:
            state: the state that the last `update` returned.
        """
        return _integral_of(state) >= _most_of(state)

    def at_least(self, state: State) -> Scalar:
        """Return whether the integral is at its lower bound, where the penalty has no effect.

        Args:
            state: the state that the last `update` returned.
        """
        return _integral_of(state) <= _most_of(state) + math.log(self.least)


def _most_of(state: State) -> Any:
    """Return the logarithm of the average of the scale."""
    return (_tensor(state["scale_total"]) / _tensor(state["scale_weight"])).log()


def _integral_of(state: State) -> Any:
    """Return the integral; NaN as long as the law only observes."""
    observes = _tensor(state["looked_on"]) < _OBSERVED_STEPS
    return _tensor(state["integral"]).masked_fill(observes, math.nan)


def shares_of(wanted: Any) -> Any:
    """Return what the averages of the quantity and of the scale are multiplied by.

    Args:
        wanted: the target, a tensor.

    Returns:
        1/(1.01 T) and 1, of the shape (2, ...).

    Example:
        >>> import torch
        >>> from regularizers.control import shares_of
        >>> shares_of(torch.tensor(10.0))
        tensor([0.0990, 1.0000])
    """
    ratio = 1 / ((1 + _SOFTENING) * wanted)
    stacked: Any = _torch().stack([ratio, ratio.new_ones(ratio.shape)])
    return stacked


class Constants(NamedTuple):
    """The numbers of the law as tensors, (2, ...): of the quantity and of the scale.

    Attributes:
        one: (2, ...), ones, the weight of a new value.
        keep: (2, ...), how much is kept of each average in a step.
        offset: (2, ...), what is added to each share.

    Example:
        >>> import torch
        >>> from regularizers.control import Constants
        >>> Constants.on(torch.zeros((), dtype=torch.float64)).keep
        tensor([0.9000, 0.9500], dtype=torch.float64)
    """

    one: Any
    keep: Any
    offset: Any

    @classmethod
    def on(cls, x: Any) -> Constants:
        """Return them on the device and in the shape of a tensor.

        Args:
            x: the tensor.
        """
        kept = _KEEP_MEASURED, 1 - (1 - _KEEP_SCALE)
        columns = (1.0, 1.0), kept, (_SOFTENING / (1 + _SOFTENING), 0.0)
        shape = 2, *[1] * x.ndim
        return cls(*[x.new_tensor(column).reshape(shape).expand(2, *x.shape) for column in columns])


def _tensor(value: Scalar) -> Any:
    torch = _torch()
    return value if isinstance(value, torch.Tensor) else torch.tensor(value, dtype=torch.float64)


@functools.cache
def _torch() -> Any:
    """Return PyTorch, which is loaded here and not with the settings of a law."""
    return importlib.import_module("torch")
