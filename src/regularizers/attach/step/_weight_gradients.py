"""Gradients of penalties of strength 1 at weights, computed outside of any graph."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import torch
from torch import Tensor

from regularizers.attach.reading import xp
from regularizers.attach.sites import Reference
from regularizers.penalties import L1, Formula, L2Squared
from regularizers.penalties.arrays import Frame, one_over, widen

Tensors: TypeAlias = list[Tensor] | tuple[Tensor, ...]
Foreach: TypeAlias = Callable[[list[Tensor]], Tensors]


@dataclass(frozen=True)
class WeightGradient:
    """How to compute the gradient of a penalty, up to a constant factor."""

    single: Callable[[Tensor], Tensor]
    """Returns the gradient at one weight."""

    foreach: Foreach | None = None
    """Returns the gradients at several weights by one operation, if there is such an operation."""

    constant: float = 1.0
    """The factor that `single` and `foreach` leave out."""

    elementwise: bool = False
    """True if the gradient is a new tensor that can be computed chunk by chunk."""


def _same_weights(weights: list[Tensor]) -> list[Tensor]:
    return weights


_CLOSED_FORMS: dict[type[Formula], WeightGradient] = {
    L1: WeightGradient(torch.sign, torch._foreach_sign, elementwise=True),
    L2Squared: WeightGradient(torch.Tensor.detach, _same_weights, constant=2.0),
}


def weight_gradient(term: Formula, view: tuple[int, ...] | None = None) -> WeightGradient:
    """Return how to compute the gradient of `term`, which reads weights in the shape `view`."""
    if view is not None:
        return WeightGradient(partial(_gradient_in_view, term, view))
    return _CLOSED_FORMS.get(type(term)) or WeightGradient(partial(_gradient, term))


def gradient_at(gradient: WeightGradient, weight: Tensor, reference: Reference | None) -> Tensor:
    """Return the gradient at one weight, measured from and by its reference."""
    if reference is None:
        return gradient.single(weight)
    return reference.weighted(gradient.single(reference.measured(weight)), weight)


def foreach_gradients(
    foreach: Foreach, weights: list[Tensor], references: Sequence[Reference]
) -> Tensors:
    """Return the gradients at several weights.

    Args:
        foreach: returns them for weights without references.
        weights: the weights, in float32 or float64 if they have references.
        references: one for each weight, all of which have the same parts; or none at all.
    """
    if not references:
        return foreach(weights)
    pairs = list(zip(references, weights, strict=True))
    read = weights
    if references[0].is_shifted:
        read = list(torch._foreach_sub(weights, [each.towards(weight) for each, weight in pairs]))
    slopes = foreach(read)
    if not references[0].is_weighted:
        return slopes
    return torch._foreach_mul(slopes, [each.importance(weight) for each, weight in pairs])


def constant_factor(weight: Tensor, term: Formula) -> float:
    """Return the factor that `weight_gradient` leaves out at one weight.

    It is the constant of the formula times the derivative of the reduction, which depends on the
    weight's shape.
    """
    if type(term) not in _CLOSED_FORMS:  # nor is any term with a view
        return 1.0
    # of both the derivative of the reduction is one over its denominator, a plain number
    return one_over(term.denominator(_frame(term, weight))) * _CLOSED_FORMS[type(term)].constant


def _gradient(term: Formula, weight: Tensor) -> Tensor:
    """Return the gradient of the penalty, in the dtype of the accumulation."""
    frame = _frame(term, weight)
    wide = widen(xp, weight)
    statistic, kept = term.statistic(wide, frame)
    cotangent = term.derivative(statistic, term.denominator(frame), xp)
    gradient: Tensor = term.pullback(wide, kept, cotangent, frame)
    return gradient


def _gradient_in_view(term: Formula, view: tuple[int, ...], weight: Tensor) -> Tensor:
    return _gradient(term, weight.reshape(view)).reshape(weight.shape)


def _frame(term: Formula, weight: Tensor) -> Frame:
    dtype = torch.promote_types(weight.dtype, torch.float32)
    return Frame(xp, weight.shape, dtype, term.reduce or "sum", term.batch_axis)
