"""The base of the forward hooks that read one site."""

from __future__ import annotations

import weakref
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from regularizers.attach.reading._check_nested import check_nested
from regularizers.attach.reading._gauge import Gauge
from regularizers.attach.reading._plan import Plan, must_copy, plan_for
from regularizers.attach.reading._record import Record
from regularizers.attach.reading._site_targets import SiteTargets
from regularizers.attach.reading._time_axis import time_difference, with_initial_state
from regularizers.attach.reading._unit_weights import UnitWeights
from regularizers.attach.reading._weighted import WeightedSum
from regularizers.attach.sites import ActivitySite, Strengths
from regularizers.errors import RegimeError
from regularizers.modules import (
    MODULES_SAVING_OUTPUT,
    MODULES_WITH_KNOWN_AXES,
    Activation,
    Hook,
    Masks,
    Pass,
    activation_of,
    check_untraced,
    initial_state,
    is_forward_mode,
    is_plain_forward,
    is_transformed,
    mask_of,
    masked,
    may_hold_a_part_of_the_units,
    simple_pass,
)

MAX_PLANS = 100
"""How many plans a tap keeps, since the shapes of outputs may all differ."""


class Tap(Hook):
    """The forward hook that reads one site; subclasses deliver what it reads."""

    def __init__(
        self,
        site: ActivitySite,
        model: nn.Module,
        masks: Masks,
        gauges: Mapping[str, Gauge],
        strengths: Strengths,
    ) -> None:
        self._model = weakref.ref(model)
        self._strengths = strengths
        self._strengths_at: int | None = None
        self._is_zero = False
        self._checked = False
        self._rule = site.rule
        self._masks = masks
        self._site = site.name
        self._is_saved_anyway = isinstance(site.module, MODULES_SAVING_OUTPUT)
        self._terms = tuple([(entry.key, entry.term) for entry in site.entries])
        self._time_differences = tuple(
            [time_difference(term, site.name) for _, term in self._terms]
        )
        self._copies = self._rule.copy and any(term.saves == "input" for _, term in self._terms)
        self._plans: dict[tuple[object, ...] | None, Plan] = {}
        self._plain_plans: dict[tuple[object, ...], list[Plan]] = {}
        self._is_recurrent = isinstance(site.module, nn.RNNBase)
        self._targets = SiteTargets(site, self._terms, gauges)
        weights = self._rule.weights
        self._weights = None if weights is None else UnitWeights(weights, self._model, site.name)
        self._is_simple = (
            self._rule.select is None
            and self._rule.mask is None
            and not self._rule.carry
            and self._weights is None
            and (self._is_recurrent or not isinstance(site.module, MODULES_WITH_KNOWN_AXES))
        )

    def attach(self, module: nn.Module) -> RemovableHandle:
        """Register the hook; with keyword arguments only if a rule uses them."""
        if self._rule.mask is None and not self._rule.carry:
            return module.register_forward_hook(self)
        return module.register_forward_hook(KeywordHook(self), with_kwargs=True)

    @abstractmethod
    def __call__(
        self,
        module: nn.Module,
        inputs: tuple[Any, ...],
        output: Any,
        keywords: dict[str, Any] | None = None,
    ) -> Any:
        """Read `output`, which `module` computed from the inputs."""

    def _plain(self, module: nn.Module, output: Any) -> tuple[Tensor, list[Plan], Pass] | None:
        """Return a plain output of an ordinary forward and its plans; None in any other case.

        One function checks everything, and little for a known shape: after a large kernel the
        instruction cache is cold, and each Python call costs microseconds.
        """
        x = output
        if self._is_recurrent:
            x = output[0] if type(output) is tuple and len(output) == 2 else None
        if (
            type(x) is not Tensor
            or not (module.training and torch.is_grad_enabled())
            or torch.compiler.is_compiling()
            or torch._C._get_tracing_state() is not None
            or self._masks.any
            or "_is_replica" in module.__dict__
        ):
            return None
        if self._strengths_at != self._strengths.version:
            self._update_is_zero()
        try:
            order = module.batch_first if self._is_recurrent else None
            signature = (x.shape, x.dtype, order, self._targets.are_due)
            plans = self._plain_plans.get(signature)
        except RuntimeError:  # a nested tensor may have no shape
            return None
        if plans is None and not (self._is_simple and x.dtype.is_floating_point):
            return None
        at = simple_pass()
        if at is None:
            return None
        if plans is None:
            if x.numel() == 0 or self._is_off():
                return None
            plans = self._plain_plans_of(module, output)
            _keep(self._plain_plans, signature, plans)
        return None if self._is_zero and at is Pass.FORWARD else (x, plans, at)

    def _plain_plans_of(self, module: nn.Module, output: Any) -> list[Plan]:
        """Check an output of a new shape or dtype, and return its plans."""
        activation = self._activation(module, (), output, None)
        return [self._plan(number, activation.x, activation) for number in range(len(self._terms))]

    def _is_off(self) -> bool:
        """Return whether every strength is 0, so nothing is read.

        False until a first output was checked, and inside a checkpoint, which compares the saved
        tensors of both its forwards.
        """
        if self._strengths_at != self._strengths.version:
            self._update_is_zero()
        return self._is_zero and self._checked and is_plain_forward()

    def _update_is_zero(self) -> None:
        self._is_zero = all(self._strengths.is_zero(key) for key, _ in self._terms)
        self._strengths_at = self._strengths.version

    def _activation(
        self,
        module: nn.Module,
        inputs: tuple[Any, ...],
        output: Any,
        keywords: dict[str, Any] | None,
    ) -> Activation:
        if "_is_replica" in module.__dict__:
            raise RegimeError(
                f"{self._site}: nn.DataParallel runs copies of the model, whose records are lost; "
                f"use torch.nn.parallel.DistributedDataParallel"
            )
        if not torch.compiler.is_compiling():
            check_untraced(self._site)
            if is_forward_mode():
                raise RegimeError(
                    f"{self._site}: a penalty has no forward-mode derivative, which jvp, jacfwd "
                    f"and hessian take; put `with reg.paused():` around them, call "
                    f"model.eval() or detach()"
                )
            if not self._checked:
                self._check_units_are_whole(module)
        activation = activation_of(module, output, self._rule.select, self._site)
        if self._rule.mask is not None:
            mask = mask_of(self._rule.mask, inputs, keywords or {}, self._site)
            activation = masked(activation, mask, self._site)
        if self._masks.any:
            around = self._masks.of(module, self._site)
            if around is not None:
                activation = masked(activation, around, self._site)
        return activation

    def _initial_state(
        self, module: nn.Module, inputs: tuple[Any, ...], keywords: dict[str, Any] | None
    ) -> Tensor | None:
        """Return the state that joins the first difference, if the rule asks for it."""
        if not self._rule.carry:
            return None
        return initial_state(module, inputs, (keywords or {}).get("hx"), self._site)

    def _check_units_are_whole(self, module: nn.Module) -> None:
        model = self._model()
        for _, term in self._terms:
            if term.adds_over_units or model is None:
                continue
            if may_hold_a_part_of_the_units(module, model):
                raise RegimeError(
                    f"{self._site}: under tensor parallelism this output may hold a part of the "
                    f"units, and the parts of {term!r} cannot be added up; penalise a module "
                    f"sharded by rows, whose output is whole, or use L1, L2Squared or KLSparsity "
                    f"with 'sum' or 'batch_mean'"
                )
        self._checked = True

    def _read(
        self, activation: Activation, before: Tensor | None, window: Tensor | None
    ) -> list[Record]:
        """Return the statistics of an activation, one for each penalty."""
        records = []
        for number, (key, term) in enumerate(self._terms):
            x, mask = activation.x, activation.mask
            if before is not None and self._time_differences[number] is not None:
                x, _, mask = with_initial_state(activation, before)[:3]
            plan = self._plan(number, x, activation)
            if must_copy(term, self._rule.copy, weighted=self._weights is not None):
                x = x.clone()
            if self._weights is None:
                statistic = plan.read(x, mask, window)
            else:
                weights = self._weights.beside(x, plan.request.batch_axis)
                statistic = WeightedSum.apply(x, weights, mask, plan.request, window)  # type: ignore[no-untyped-call]
            denominator = plan.divisor(x, mask)
            amount = self._targets.amount(activation._replace(x=x, mask=mask), plan)
            records.append(Record(key, statistic, denominator, amount=amount))
        return records

    def _plan(self, number: int, x: Tensor, activation: Activation) -> Plan:
        """Return the plan of a penalty for `x`, which comes from the activation."""
        _, axes, _, time_axis, _ = activation
        is_kept = not (torch.compiler.is_compiling() or is_transformed() or x.is_nested)
        due = self._targets.are_due
        signature = (number, x.shape, x.dtype, axes, time_axis, due) if is_kept else None
        if signature in self._plans:
            return self._plans[signature]
        (key, term), timed = self._terms[number], self._time_differences[number]
        if timed is not None:
            term = timed.along_time(activation)
        axes = axes if term.batch_axis is None else term.batch_axis
        if x.is_nested:
            check_nested(x, term, axes, key in self._targets.gauges, self._site)
        plan = plan_for(
            key,
            x,
            term,
            axes,
            site=self._site,
            gauge=self._targets.handle_of(key),
            saved_anyway=self._is_saved_anyway,
        )
        plan = self._targets.planned(plan, activation._replace(x=x, mask=None), term)
        if is_kept:
            _keep(self._plans, signature, plan)
        return plan


def _keep(known: dict[Any, Any], signature: tuple[object, ...] | None, plan: object) -> None:
    """Keep a plan for its signature; start again where there are too many."""
    if len(known) == MAX_PLANS:
        known.clear()
    known[signature] = plan


class KeywordHook(Hook):
    """The hook of a tap that also reads the keyword arguments of its module."""

    def __init__(self, tap: Tap) -> None:
        self._tap = tap

    def __call__(
        self, module: nn.Module, inputs: tuple[Any, ...], keywords: dict[str, Any], output: Any
    ) -> Any:
        """Read `output`."""
        return self._tap(module, inputs, output, keywords)
