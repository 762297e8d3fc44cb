"""Penalty gradients at pruned weights.

The model reads mask * parameter. The chain rule multiplies the penalty's gradient by the mask.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from regularizers.attach.sites import Entry
from regularizers.attach.step._weight_gradients import (
    WeightGradient,
    constant_factor,
    weight_gradient,
)


@dataclass(frozen=True)
class PrunedGradient:
    """The gradient of one penalty at one pruned weight.

    Args:
        key: the key of its strength.
        gradient: how to compute the gradient, up to a constant.
        constant: that constant; negative where the optimizer maximises.
        weight: the parameter.
        mask: returns the current mask.
    """

    key: str
    gradient: WeightGradient
    constant: float
    weight: Tensor
    mask: Callable[[], Tensor]

    def add(self, strengths: Mapping[str, float], scale: Tensor | None) -> None:
        """Add it to the parameter's `.grad`, times `scale` if the gradients are scaled."""
        factor = strengths[self.key] * self.constant
        if not factor:
            return
        mask = self.mask().to(self.weight.dtype)
        gradient = self.gradient.single(mask * self.weight) * mask
        if scale is not None:
            gradient = gradient * scale.to(gradient.device)
        if self.weight.grad is None:
            self.weight.grad = torch.zeros_like(self.weight)
        self.weight.grad.add_(gradient, alpha=factor)


def pruned_gradient(
    entry: Entry, sign: int, weight: Tensor, mask: Callable[[], Tensor]
) -> PrunedGradient:
    """Return the gradient of the penalty `entry` at the pruned weight `mask() * weight`."""
    unit = dataclasses.replace(entry.term, strength=1.0)
    constant = sign * constant_factor(weight, unit)
    return PrunedGradient(entry.key, weight_gradient(unit, entry.view), constant, weight, mask)
