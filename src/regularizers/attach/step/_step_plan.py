"""The work in each step of one optimizer, valid until the set of its weights changes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from torch import Tensor
from torch.optim import Optimizer

from regularizers.attach.sites import Entry, Strengths, WeightSite
from regularizers.attach.step._constrained import ConstrainedWeight, batch_constrained
from regularizers.attach.step._foreach_gradients import PenaltyGradients
from regularizers.attach.step._proximal import ProximalWeight
from regularizers.attach.step._proximal_foreach import batch_proximal
from regularizers.attach.step._pruned import PrunedGradient, pruned_gradient
from regularizers.attach.step._weight_targets import MeasuredWeight
from regularizers.attach.step._with_bias import GroupsWithBias, Part, groups_with_bias


class StepPlan:
    """The penalties and constraints of the weights of one optimizer.

    Args:
        held: the sites of its trainable weights, each with the weight and its parameter group.
        strengths: the strength of each penalty. A change of strength only recomputes factors.
        group_of: returns the parameter group of a bias that is read with its kernel.
    """

    def __init__(
        self,
        held: Iterable[tuple[WeightSite, Tensor, dict[str, Any]]],
        strengths: Strengths,
        group_of: Callable[[Tensor], dict[str, Any]],
    ) -> None:
        added: list[tuple[Entry, int, Tensor]] = []
        proximal: dict[Tensor, ProximalWeight] = {}
        constrained: dict[Tensor, ConstrainedWeight] = {}
        self._pruned: list[PrunedGradient | GroupsWithBias] = []
        joint: list[GroupsWithBias] = []
        for site, weight, group in held:
            mask = site.parameter.mask
            # a maximising optimizer negates .grad, and the penalty must be minimised all the same
            sign = -1 if group.get("maximize") else 1
            if site.constraint is not None:
                name = site.parameter.full_name
                one = constrained.setdefault(weight, ConstrainedWeight(name, weight, [], mask))
                one.constraints.append(site.constraint)
            for entry in site.entries:
                if entry.with_bias is not None:
                    part = Part(site.parameter, weight, group)
                    both = groups_with_bias(entry, part, group_of, strengths)
                    (joint if entry.proximal else self._pruned).append(both)
                elif entry.proximal:
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
        self._proximal = [*batch_proximal(proximal.values()), *joint]
        self._constrained = batch_constrained(constrained.values())

    def add(self, scale: Tensor | None) -> None:
        """Add the penalty gradients to `.grad`, times `scale` if the gradients are scaled.

        Constraints then take out what the optimizer is not to see. That is linear in the gradient,
        so the scale does not matter.
        """
        if self._strengths_version != self._strengths.version:
            self._gradients.set_strengths(self._strengths)
            self._strengths_version = self._strengths.version
        self._gradients.add(scale)
        for gradient in self._pruned:
            gradient.add(self._strengths, scale)
        for constrained in self._constrained:
            constrained.make_tangential()

    def shrink(self, optimizer: Optimizer) -> None:
        """Take the proximal steps, by the step sizes of the optimizer."""
        for proximal in self._proximal:
            proximal.shrink(optimizer)

    def check_constraints(self) -> None:
        """Raise where a constraint of the user's own does; no weight is changed."""
        for constrained in self._constrained:
            constrained.projected()

    def begin(self) -> None:
        """Project the constrained weights that have not been."""
        for constrained in self._constrained:
            constrained.begin()

    def project(self) -> None:
        """Project the constrained weights."""
        for constrained in self._constrained:
            constrained.project()
