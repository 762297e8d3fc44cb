"""The work in each step of one optimizer, valid until the set of its weights changes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from torch import Tensor
from torch.optim import Optimizer

from regularizers.attach.sites import Entry, Strengths, WeightSite
from regularizers.attach.step._foreach_gradients import PenaltyGradients
from regularizers.attach.step._proximal import ProximalWeight
from regularizers.attach.step._proximal_foreach import batch_proximal
from regularizers.attach.step._pruned import PrunedGradient, pruned_gradient
from regularizers.attach.step._weight_targets import MeasuredWeight


class StepPlan:
    """The penalties of the weights of one optimizer.

    Args:
        held: the sites of its trainable weights, each with the weight and its parameter group.
        strengths: the strength of each penalty. A change of strength only recomputes factors.
    """

    def __init__(
        self, held: Iterable[tuple[WeightSite, Tensor, dict[str, Any]]], strengths: Strengths
    ) -> None:
        added: list[tuple[Entry, int, Tensor]] = []
        proximal: dict[Tensor, ProximalWeight] = {}
        self._pruned: list[PrunedGradient] = []
        for site, weight, group in held:
            mask = site.parameter.mask
            # a maximising optimizer negates .grad, and the penalty must be minimised all the same
            sign = -1 if group.get("maximize") else 1
            for entry in site.entries:
                if entry.proximal:
                    name = site.parameter.full_name
                    first = ProximalWeight(
                        name, weight, group, strengths, [], mask, reference=entry.reference
                    )
                    proximal_weight = proximal.setdefault(weight, first)
                    proximal_weight.terms.append((entry.term, entry.key))
                    proximal_weight.view = entry.view or proximal_weight.view
                elif mask is not None or strengths.is_found(entry.key):
                    self._pruned.append(pruned_gradient(entry, sign, weight, mask))
                else:
                    added.append((entry, sign, weight))
        self.measured: list[MeasuredWeight] = []
        """The weights that a target measures."""
        self._strengths = strengths
        self._strengths_version: int | None = None
        self._gradients = PenaltyGradients(added)
        self._proximal = batch_proximal(proximal.values())

    def add(self, scale: Tensor | None) -> None:
        """Add the penalty gradients to `.grad`, times `scale` if the gradients are scaled."""
        if self._strengths_version != self._strengths.version:
            self._gradients.set_strengths(self._strengths)
            self._strengths_version = self._strengths.version
        self._gradients.add(scale)
        for gradient in self._pruned:
            gradient.add(self._strengths, scale)

    def shrink(self, optimizer: Optimizer) -> None:
        """Take the proximal steps, by the step sizes of the optimizer."""
        for proximal in self._proximal:
            proximal.shrink(optimizer)
