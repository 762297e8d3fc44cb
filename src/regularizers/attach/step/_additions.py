"""Gradients of weight penalties, added to `.grad` by multi-tensor operations."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from regularizers.attach import _namespace as xp
from regularizers.penalties import L1, L2Squared
from regularizers.penalties._arrays import widen
from regularizers.penalties._elementary import Elementary
from regularizers.penalties._frame import Frame

_Many = Callable[[list[Tensor]], list[Tensor]]

_MANY: dict[type[Elementary], tuple[_Many, float]] = {
    L1: (lambda weights: list(torch._foreach_sign(weights)), 1.0),
    L2Squared: (lambda weights: weights, 2.0),
}
"""Penalties whose gradient, for all weights at once, is a function of them times a constant."""


@dataclass(frozen=True)
class Addition:
    """The gradients of one penalty at several weights."""

    term: Elementary
    factor: float
    weights: list[Tensor]

    def add(self, scale: Tensor | None) -> None:
        """Add the gradients to those of the weights; `scale` is by what those are scaled."""
        if type(self.term) in _MANY:
            slopes_of, _ = _MANY[type(self.term)]
            self._add(self.weights, slopes_of(self.weights), scale)
            return
        for weight in self.weights:
            self._add([weight], [_slope(self.term, weight)], scale)

    def _add(self, weights: list[Tensor], slopes: list[Tensor], scale: Tensor | None) -> None:
        gradients = [weight.grad for weight in weights if weight.grad is not None]
        if scale is None:
            torch._foreach_add_(gradients, slopes, alpha=self.factor)
            return
        for gradient, slope in zip(gradients, slopes, strict=True):
            gradient.add_(slope * (self.factor * scale.to(gradient.device)))


def additions(entries: Sequence[tuple[Elementary, float, Tensor]]) -> list[Addition]:
    """Return the gradients of penalties, each with its strength and its weight, put together."""
    together: dict[tuple[object, ...], Addition] = {}
    for term, strength, weight in entries:
        unit = dataclasses.replace(term, strength=1.0)
        factor = strength * _constant(unit, weight)
        if factor == 0:
            continue
        # weights sharded over different meshes do not go into one multi-tensor operation
        key = (unit, factor, getattr(weight, "device_mesh", None))
        together.setdefault(key, Addition(unit, factor, [])).weights.append(weight)
    return list(together.values())


def give_gradients(weights: Sequence[Tensor]) -> None:
    """Make every weight have a dense gradient that can be added to; a missing one is 0."""
    for weight in weights:
        if weight.grad is None:
            weight.grad = torch.zeros_like(weight)
        elif weight.grad.layout != torch.strided:
            weight.grad = weight.grad.to_dense()


def _constant(term: Elementary, weight: Tensor) -> float:
    """Return by what the slopes of many weights are multiplied for a strength of 1."""
    if type(term) not in _MANY:
        return 1.0
    derivative = term.derivative(torch.ones((), dtype=torch.float64), _tally(term, weight), xp)
    return float(derivative) * _MANY[type(term)][1]


def _slope(term: Elementary, weight: Tensor) -> Tensor:
    """Return the gradient of the penalty, in the precision it was accumulated in."""
    frame = _frame(term, weight)
    wide = widen(xp, weight)
    statistic, kept = term.measure(wide, frame)
    cotangent = term.derivative(statistic, term.tally(frame), xp)
    slope: Tensor = term.pullback(wide, kept, cotangent, frame)
    return slope


def _tally(term: Elementary, weight: Tensor) -> object:
    return term.tally(_frame(term, weight))


def _frame(term: Elementary, weight: Tensor) -> Frame:
    dtype = torch.promote_types(weight.dtype, torch.float32)
    return Frame(xp, weight.shape, dtype, term.reduce or "sum", term.batch_axis)
