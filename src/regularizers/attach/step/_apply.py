"""The third delivery: weight penalties enter within the step of an optimizer."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.distributed.tensor import DTensor
from torch.optim import Optimizer
from torch.utils.hooks import RemovableHandle

from regularizers.attach._sites import WeightGroup, WeightSite
from regularizers.attach._strengths import Strengths
from regularizers.attach.step._holding import Holding
from regularizers.attach.step._plan import Plan
from regularizers.attach.step._steps import Steps


class Apply:
    """Adds the gradients of weight penalties before an optimizer's update, or shrinks after it.

    Args:
        groups: the weights of each rule.
        strengths: of each penalty.
        holding: which optimizer holds which weight.
        check: raises when the regularization cannot be used any more.
    """

    def __init__(
        self,
        groups: Iterable[WeightGroup],
        strengths: Strengths,
        holding: Holding,
        check: Callable[[], None],
    ) -> None:
        self._groups = tuple(groups)
        self._strengths = strengths
        self._holding = holding
        self._check = check
        sites = [site for group in self._groups for site in group.sites]
        self._homes = [site.parameter.owner._parameters for site in sites]
        self._names = [site.parameter.name for site in sites]
        self._shrinks = any(entry.proximal for site in sites for entry in site.entries)
        self._seen: list[object] = []
        self._plans: dict[Optimizer, Plan] = {}

    def attach(self) -> list[RemovableHandle]:
        """Put the hooks into the optimizers."""
        return [
            handle
            for optimizer in self._holding.optimizers
            for handle in Steps(optimizer, self._before, self._after).attach()
        ]

    @torch.no_grad()
    def values(self) -> dict[str, Tensor]:
        """Return the penalties of the trainable weights as they are now."""
        return {
            entry.key: self._strengths.times(entry.key, unit)
            for group in self._groups
            for entry, unit in group.read()
        }

    @torch.no_grad()
    def zeros(self) -> dict[str, float]:
        """Return the share of exact zeros in the weights that are shrunk, by penalty."""
        return {
            entry.key: _zeros(site.parameter.read())
            for group in self._groups
            for site in group.counted()
            for entry in site.entries
            if entry.proximal
        }

    @torch.no_grad()
    def _before(self, optimizer: Optimizer) -> None:
        self._check()
        plan = self._plan(optimizer)
        if all(p.grad is None for group in optimizer.param_groups for p in group["params"]):
            return  # a step without a backward pass changes nothing
        # set while a fused optimizer unscales the gradients within its step
        plan.add(getattr(optimizer, "grad_scale", None))

    @torch.no_grad()
    def _after(self, optimizer: Optimizer) -> None:
        if self._shrinks:
            self._plan(optimizer).shrink(optimizer)

    def _plan(self, optimizer: Optimizer) -> Plan:
        now = self._look()
        if not (len(now) == len(self._seen) and all(map(operator.is_, now, self._seen))):
            self._seen = now
            self._plans = {}
        if optimizer not in self._plans:
            self._plans[optimizer] = Plan(self._held(optimizer), self._strengths)
        return self._plans[optimizer]

    def _look(self) -> list[object]:
        """Return all that a plan depends on: the same objects as long as the plan holds."""
        weights = list(map(dict.get, self._homes, self._names))
        frozen = [w for w in weights if w is not None and not w.requires_grad]
        return [self._holding.look(), *weights, *frozen]

    def _held(self, optimizer: Optimizer) -> Iterator[tuple[WeightSite, Tensor, dict[str, Any]]]:
        for group in self._groups:
            for site in group.counted():
                weight = self._holding.weight_of(site)
                if self._holding.optimizer_of(weight) is optimizer:
                    yield site, weight, self._holding.group_of(weight)


def _zeros(weight: Tensor) -> float:
    count = (weight == 0).sum()
    whole = count.full_tensor() if isinstance(count, DTensor) else count
    return whole.item() / max(weight.numel(), 1)
