"""The third delivery: weight penalties enter within the step of an optimizer."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor
from torch.optim import Optimizer
from torch.utils.hooks import RemovableHandle

from regularizers.attach.reading import read_weights
from regularizers.attach.sites import Strengths, WeightSite
from regularizers.attach.step._optimizer_hooks import Owner, Steps
from regularizers.attach.step._ownership import Holding
from regularizers.attach.step._plan import Plan
from regularizers.attach.step._unseen_steps import UnseenSteps

_is_trainable = operator.attrgetter("requires_grad")


class Apply:
    """Adds the gradients of weight penalties before an optimizer's update, or shrinks after it.

    Args:
        owner: the regularization and its sites, of which those of weights are meant.
        strengths: of each penalty.
        holding: which optimizer holds which weight.
        check: raises when the regularization cannot be used any more.
    """

    def __init__(
        self,
        owner: Owner,
        strengths: Strengths,
        holding: Holding,
        check: Callable[[], None],
    ) -> None:
        self._groups = tuple(owner.sites.weights)
        self._strengths = strengths
        self._holding = holding
        self._check = check
        self._owner = owner
        self._plans: dict[Optimizer, Plan] = {}
        self._unseen: dict[Optimizer, list[UnseenSteps]] = {}
        self.follow()

    def follow(self) -> None:
        """Know the weights that have joined."""
        sites = [site for group in self._groups for site in group.sites]
        self._parameters = [site.parameter for site in sites]
        self._homes = [parameter.owner._parameters for parameter in self._parameters]
        self._names = [parameter.name for parameter in self._parameters]
        self._shrinks = any(entry.proximal for site in sites for entry in site.entries)
        self._seen: list[object] = []

    def attach(self) -> list[RemovableHandle]:
        """Put the hooks into the optimizers, and watch a weight or two of each."""
        handles = []
        for optimizer in self._holding.optimizers:
            handles += Steps(optimizer, self._before, self._after, self._owner).attach()
            for watch in self._watch(optimizer):
                self._unseen.setdefault(optimizer, []).append(watch)
                handles += watch.attach()
        return handles

    def check_steps(self, *, within_step: bool) -> None:
        """Raise if a weight was changed by a step that no hook has seen; as `UnseenSteps.check`."""
        for watches in self._unseen.values():
            for watch in watches:
                watch.check(within_step=within_step)

    def _watch(self, optimizer: Optimizer) -> Iterator[UnseenSteps]:
        plain = [
            (site, weight)
            for site, weight, _ in self._held(optimizer)
            if type(weight) in (Tensor, nn.Parameter) and weight.device.type in ("cpu", "cuda")
        ]
        for site, weight in {id(w): (s, w) for s, w in [*plain[:1], *plain[-1:]]}.values():
            parameter = site.parameter
            name = type(optimizer).__name__
            yield UnseenSteps(parameter.full_name, parameter.owner, weight, name)

    @torch.no_grad()
    def values(self) -> dict[str, Tensor]:
        """Return the penalties of weights as they are now; one that does not count has 0."""
        sites = [site for group in self._groups for site in group.sites]
        return {entry.key: torch.zeros(()) for site in sites for entry in site.entries} | {
            entry.key: self._strengths.times(entry.key, unit)
            for group in self._groups
            for entry, unit in read_weights(group)
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
        for watch in self._unseen.get(optimizer, ()):
            watch.step()
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
        found = [self._holding.look(), *weights]
        with suppress(AttributeError):  # of None, in the place of a weight
            if all(map(_is_trainable, weights)):
                return found
        odd = [n for n, w in enumerate(weights) if w is None or not w.requires_grad]
        return [*found, *[one for n in odd for one in self._depends_on(n)]]

    def _depends_on(self, number: int) -> Iterator[object]:
        """Yield what the plan for a weight depends on that is frozen, computed or not there."""
        parameter = self._parameters[number]
        if parameter.is_computed and (mask := parameter.mask) is not None:
            yield mask()
        yield from [s for s in parameter.sources if s is not None and s.requires_grad]
        yield parameter

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
