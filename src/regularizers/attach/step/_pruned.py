"""Gradients of penalties at pruned weights: of the mask times a parameter, into the parameter's."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from regularizers.attach.sites import Entry
from regularizers.attach.step._gradients import Slopes, constant_at, slopes_of


@dataclass(frozen=True)
class PrunedAddition:
    """The gradient of one penalty at one pruned weight.

    Args:
        key: of its strength.
        slopes: how its gradient is computed, up to a constant.
        constant: that constant, negative where the optimizer maximises.
        weight: the parameter.
        mask: returns the mask as it is now.
    """

    key: str
    slopes: Slopes
    constant: float
    weight: Tensor
    mask: Callable[[], Tensor]

    def add(self, strengths: Mapping[str, float], scale: Tensor | None) -> None:
        """Add it to the parameter's gradient; `scale` is by what that is scaled."""
        factor = strengths[self.key] * self.constant
        if not factor:
            return
        mask = self.mask().to(self.weight.dtype)
        slope = self.slopes.one(mask * self.weight) * mask
        if scale is not None:
            slope = slope * scale.to(slope.device)
        if self.weight.grad is None:
            self.weight.grad = torch.zeros_like(self.weight)
        self.weight.grad.add_(slope, alpha=factor)


def pruned_addition(
    entry: Entry, sign: int, weight: Tensor, mask: Callable[[], Tensor]
) -> PrunedAddition:
    """Return how the gradient of a penalty is added to that of a pruned weight's parameter."""
    unit = dataclasses.replace(entry.term, strength=1.0)
    constant = sign * constant_at(weight, unit)
    return PrunedAddition(entry.key, slopes_of(unit, entry.view), constant, weight, mask)
