"""Gradients of penalties of strength 1 at weights, outside of any graph."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from regularizers.attach.reading import xp
from regularizers.penalties import L1, Formula, L2Squared
from regularizers.penalties.arrays import Frame, widen


@dataclass(frozen=True)
class Slopes:
    """How the gradients of a penalty are computed, up to a constant."""

    one: Callable[[Tensor], Tensor]
    """Returns the gradient at a weight."""

    many: Callable[[list[Tensor]], list[Tensor] | tuple[Tensor, ...]] | None = None
    """Returns the gradients at several weights, where that is one operation."""

    constant: float = 1.0
    """What the two leave out."""

    elementwise: bool = False
    """Whether they make new tensors, which can as well be computed part by part."""


def _as_they_are(weights: list[Tensor]) -> list[Tensor]:
    return weights


_KNOWN: dict[type[Formula], Slopes] = {
    L1: Slopes(torch.sign, torch._foreach_sign, elementwise=True),
    L2Squared: Slopes(torch.Tensor.detach, _as_they_are, constant=2.0),
}


def slopes_of(term: Formula, view: tuple[int, ...] | None = None) -> Slopes:
    """Return how the gradients of a penalty are computed, which reads weights in another shape."""
    if view is not None:
        return Slopes(partial(_slope_in_view, term, view))
    return _KNOWN.get(type(term)) or Slopes(partial(_slope, term))


def constant_at(weight: Tensor, term: Formula) -> float:
    """Return what is left out at one weight: the constant, and what its shape makes of it."""
    if type(term) not in _KNOWN:  # as all are that read a weight in another shape
        return 1.0
    one = torch.ones((), dtype=torch.float64)
    derivative = term.derivative(one, term.denominator(_frame(term, weight)), xp)
    return float(derivative) * _KNOWN[type(term)].constant


def _slope(term: Formula, weight: Tensor) -> Tensor:
    """Return the gradient of the penalty, in the precision it was accumulated in."""
    frame = _frame(term, weight)
    wide = widen(xp, weight)
    statistic, kept = term.statistic(wide, frame)
    cotangent = term.derivative(statistic, term.denominator(frame), xp)
    slope: Tensor = term.pullback(wide, kept, cotangent, frame)
    return slope


def _slope_in_view(term: Formula, view: tuple[int, ...], weight: Tensor) -> Tensor:
    return _slope(term, weight.reshape(view)).reshape(weight.shape)


def _frame(term: Formula, weight: Tensor) -> Frame:
    dtype = torch.promote_types(weight.dtype, torch.float32)
    return Frame(xp, weight.shape, dtype, term.reduce or "sum", term.batch_axis)
