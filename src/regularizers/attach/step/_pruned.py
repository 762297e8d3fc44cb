"""Penalty gradients at single weights: pruned ones, and those whose strength is found.

A pruned model reads mask * parameter. The chain rule multiplies the penalty's gradient by the mask.
A strength that is found lies on the device, where foreach operations take no factor from.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from regularizers.attach.sites import Entry, Reference, Strengths
from regularizers.attach.step._weight_gradients import (
    WeightGradient,
    constant_factor,
    gradient_at,
    weight_gradient,
)


@dataclass(frozen=True)
class PrunedGradient:
    """The gradient of one penalty at one weight.

    Args:
        key: the key of its strength.
        gradient: how to compute the gradient, up to a constant.
        constant: that constant; negative where the optimizer maximises.
        weight: the parameter.
        mask: returns the current mask; None if the weight is not pruned.
        reference: what the penalty is measured from and by.
    """

    key: str
    gradient: WeightGradient
    constant: float
    weight: Tensor
    mask: Callable[[], Tensor] | None
    reference: Reference | None

    def add(self, strengths: Strengths, scale: Tensor | None) -> None:
        """Add it to the parameter's `.grad`, times `scale` if the gradients are scaled."""
        if strengths.is_zero(self.key):
            return
        if self.mask is None:
            gradient = gradient_at(self.gradient, self.weight, self.reference)
        else:
            mask = self.mask().to(self.weight.dtype)
            gradient = gradient_at(self.gradient, mask * self.weight, self.reference) * mask
        add_to_gradient(self.weight, gradient, strengths.value(self.key), self.constant, scale)


def add_to_gradient(
    weight: Tensor,
    gradient: Tensor,
    strength: float | Tensor,
    constant: float,
    scale: Tensor | None,
) -> None:
    """Add a gradient to that of a parameter, times a strength, which may lie on the device."""
    if scale is not None:
        gradient = gradient * scale.to(gradient.device)
    if weight.grad is None:
        weight.grad = torch.zeros_like(weight)
    if isinstance(strength, Tensor):
        weight.grad.add_(gradient * (strength * constant).to(gradient))
    else:
        weight.grad.add_(gradient, alpha=strength * constant)


def pruned_gradient(
    entry: Entry, sign: int, weight: Tensor, mask: Callable[[], Tensor] | None
) -> PrunedGradient:
    """Return the gradient of the penalty `entry` at the weight, pruned to `mask() * weight`."""
    unit = dataclasses.replace(entry.term, strength=1.0)
    constant = sign * constant_factor(weight, unit)
    gradient = weight_gradient(unit, entry.view)
    return PrunedGradient(entry.key, gradient, constant, weight, mask, entry.reference)
