"""The third delivery: weight penalties and constraints act inside the step of an optimizer."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils.hooks import RemovableHandle

from regularizers.attach.control import Control
from regularizers.attach.reading import read_weights
from regularizers.attach.sites import Entry, SiteConstraint, Strengths, WeightSite
from regularizers.attach.step._constrained import projected
from regularizers.attach.step._inner_optimizers import initialise_hooks
from regularizers.attach.step._optimizer_hooks import AttachedRegularization, StepHooks
from regularizers.attach.step._ownership import Ownership
from regularizers.attach.step._refused_optimizers import check_gradients
from regularizers.attach.step._step_plan import StepPlan
from regularizers.attach.step._unseen_steps import UnseenSteps
from regularizers.attach.step._weight_targets import measured_weights
from regularizers.modules import whole

_is_trainable = operator.attrgetter("requires_grad")


class Apply:
    """Adds the gradients of weight penalties before an optimizer's update, or shrinks them after.

    Constrained weights are projected last.

    Args:
        regularization: the regularization; its weight sites are the ones that are penalised or
            constrained.
        strengths: the strength of each penalty.
        ownership: which optimizer updates which weight.
        check: raises if the regularization can no longer be used.
        control: the strengths that change; some targets measure weights.
    """

    def __init__(
        self,
        regularization: AttachedRegularization,
        strengths: Strengths,
        ownership: Ownership,
        check: Callable[[], None],
        control: Control,
    ) -> None:
        self._control = control
        self._groups = tuple(regularization.sites.in_step)
        self._penalised = tuple(regularization.sites.weights)
        self._strengths = strengths
        self._ownership = ownership
        self._check = check
        self._regularization = regularization
        self._plans: dict[Optimizer, StepPlan] = {}
        self._unseen: dict[Optimizer, list[UnseenSteps]] = {}
        self.follow()

    def follow(self) -> None:
        """Read the weight sites again, after weights were added to the model."""
        sites = [site for group in self._groups for site in group.sites]
        self._parameters = [parameter for site in sites for parameter in site.parameters]
        self._registries = [parameter.owner._parameters for parameter in self._parameters]
        self._names = [parameter.name for parameter in self._parameters]
        self._acts_after = bool(self._regularization.sites.constrained) or any(
            entry.proximal for site in sites for entry in site.entries
        )
        self._seen: list[object] = []

    def attach(self) -> list[RemovableHandle]:
        """Register the step hooks, and watch a weight or two of each optimizer."""
        handles = []
        for optimizer in self._ownership.optimizers:
            handles += StepHooks(
                optimizer, self._before, self._after, self._regularization
            ).attach()
            for unseen in self._watched(optimizer):
                self._unseen.setdefault(optimizer, []).append(unseen)
                handles += unseen.attach()
        for wrapper in self._ownership.wrappers if self._regularization.sites.constrained else ():
            initialise_hooks(wrapper)
            handles += StepHooks(
                wrapper, None, lambda _: self.project(), self._regularization
            ).attach()
        return handles

    def check_steps(self, *, within_step: bool) -> None:
        """Raise if a step that no hook saw has changed a weight; see `UnseenSteps.check`."""
        for unseen_steps in self._unseen.values():
            for unseen in unseen_steps:
                unseen.check(within_step=within_step)

    def _watched(self, optimizer: Optimizer) -> Iterator[UnseenSteps]:
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
        """Return the current penalties of the weights; that of a frozen weight is 0."""
        sites = [site for group in self._penalised for site in group.sites]
        return {entry.key: torch.zeros(()) for site in sites for entry in site.entries} | {
            entry.key: self._strengths.times(entry.key, unit)
            for group in self._penalised
            for entry, unit in read_weights(group)
        }

    @torch.no_grad()
    def zeros(self) -> dict[str, float]:
        """Return the fraction of exact zeros in each proximally penalised weight, by key.

        A weight that is drawn towards other values counts where it equals them.
        """
        return {
            entry.key: _zeros(_measured(site, entry))
            for group in self._penalised
            for site in group.counted()
            for entry in site.entries
            if entry.proximal
        }

    @torch.no_grad()
    def distances(self) -> dict[str, float]:
        """Return how far each constrained weight is from its constraint, by key."""
        return {
            site.constraint.key: _distance(site.parameter.read(), site.constraint)
            for group in self._groups
            for site in group.counted()
            if site.constraint is not None
        }

    @torch.no_grad()
    def check_constraints(self) -> None:
        """Raise if a weight cannot be projected; no weight is changed."""
        for optimizer in self._ownership.optimizers:
            self._plan(optimizer).check_constraints()

    @torch.no_grad()
    def project(self) -> None:
        """Project the constrained weights of all optimizers."""
        for optimizer in self._ownership.optimizers:
            self._plan(optimizer).project()

    @torch.no_grad()
    def begin(self) -> None:
        """Project the constrained weights of all optimizers that have not been."""
        for optimizer in self._ownership.optimizers:
            self._plan(optimizer).begin()

    @torch.no_grad()
    def _before(self, optimizer: Optimizer) -> None:
        self._check()
        for unseen in self._unseen.get(optimizer, ()):
            unseen.step()
        plan = self._plan(optimizer)
        if all(p.grad is None for group in optimizer.param_groups for p in group["params"]):
            return  # a step without a backward pass changes nothing
        check_gradients(optimizer)
        # GradScaler sets it when a fused optimizer unscales the gradients inside its step
        scale = getattr(optimizer, "grad_scale", None)
        for measured in plan.measured:
            measured.compare_gradients(scale)
        plan.add(scale)

    @torch.no_grad()
    def _after(self, optimizer: Optimizer) -> None:
        if self._acts_after:
            plan = self._plan(optimizer)
            plan.shrink(optimizer)
            plan.project()
            for measured in plan.measured:
                measured.measure()

    def _plan(self, optimizer: Optimizer) -> StepPlan:
        now = self._plan_key()
        if not (len(now) == len(self._seen) and all(map(operator.is_, now, self._seen))):
            self._seen = now
            self._plans = {}
        if optimizer not in self._plans:
            held = list(self._held(optimizer))
            plan = StepPlan(held, self._strengths, self._ownership.group_of)
            gauges = self._control.targets.gauges("weights")
            plan.measured = measured_weights(
                [(site, weight) for site, weight, _ in held], gauges, self._strengths
            )
            self._plans[optimizer] = plan
        return self._plans[optimizer]

    def _plan_key(self) -> list[object]:
        """Return the objects that a plan depends on; it is valid while they are identical."""
        weights = list(map(dict.get, self._registries, self._names))
        found = [self._ownership.refresh(), *weights]
        with suppress(AttributeError):  # None has no `requires_grad`: a weight is missing
            if all(map(_is_trainable, weights)):
                return found
        unusual = [n for n, w in enumerate(weights) if w is None or not w.requires_grad]
        return [*found, *[one for n in unusual for one in self._depends_on(n)]]

    def _depends_on(self, number: int) -> Iterator[object]:
        """Yield what the plan depends on at a weight that is frozen, computed or missing."""
        parameter = self._parameters[number]
        if parameter.is_computed and (mask := parameter.mask) is not None:
            yield mask()
        yield from [s for s in parameter.sources if s is not None and s.requires_grad]
        yield parameter

    def _held(self, optimizer: Optimizer) -> Iterator[tuple[WeightSite, Tensor, dict[str, Any]]]:
        for group in self._groups:
            for site in group.counted():
                weight = self._ownership.weight_of(site)
                if self._ownership.optimizer_of(weight) is optimizer:
                    yield site, weight, self._ownership.group_of(weight)


def _distance(weight: Tensor, constraint: SiteConstraint) -> float:
    """Return the Euclidean distance of a weight from its projection."""
    wide = weight.to(torch.promote_types(weight.dtype, torch.float32))
    squares = (wide - projected(constraint, weight)).square().sum()
    return whole(squares).sqrt().item()


def _measured(site: WeightSite, entry: Entry) -> Tensor:
    weight = site.parameter.read()
    return weight if entry.reference is None else entry.reference.measured(weight)


def _zeros(weight: Tensor) -> float:
    return whole((weight == 0).sum()).item() / max(weight.numel(), 1)
