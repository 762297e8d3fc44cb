"""The hook of the second delivery: the gradient enters by the output."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from regularizers.attach.inject._functions import Inject
from regularizers.attach.inject._scale import Scale
from regularizers.attach.reading import Amount, Gauge, Plan, Tap, xp
from regularizers.attach.sites import ActivitySite, Strengths
from regularizers.errors import RegimeError
from regularizers.modules import (
    Activation,
    Masks,
    Pass,
    Processes,
    current_pass,
    eager_only,
    is_recording,
    is_vmap_batched,
    is_vmap_without_grad,
    replace_in,
    totals_of,
)
from regularizers.penalties import Formula


class Injecting(Tap):
    """Adds the gradient of the penalties of a site at its output."""

    def __init__(
        self,
        site: ActivitySite,
        model: nn.Module,
        masks: Masks,
        gauges: Mapping[str, Gauge],
        scale: Scale,
        strengths: Strengths,
        latest: dict[str, Tensor],
        processes: Processes,
    ) -> None:
        super().__init__(site, model, masks, gauges, strengths)
        self._zeros = {key: torch.zeros(()) for key, _ in self._terms}
        self._scale = scale
        self._handle = scale.handle
        self._latest = latest
        self._processes = processes

    def __call__(
        self,
        module: nn.Module,
        inputs: tuple[Any, ...],
        output: Any,
        keywords: dict[str, Any] | None = None,
    ) -> Any:
        """Return an output equal to `output`, whose backward adds the penalty's gradient."""
        if self._scale.closed:
            return None
        plain = self._plain(module, output)
        if plain is not None:
            return self._inject_plain(inputs, output, *plain)
        compiling = torch.compiler.is_compiling()
        if module.training and not compiling:
            self._scale.seen(self._site)
        if not is_recording(module):
            return None
        if not compiling and self._is_off():
            self._latest.update(self._zeros)
            return None
        activation = self._activation(module, inputs, output, keywords)
        if not compiling and is_vmap_without_grad():
            raise RegimeError(
                f"{self._site}: within vmap alone the gradient cannot enter for each member; call "
                f"scale_from within torch.func.grad, within vmap, or use delivery='collect'"
            )
        if not activation.x.requires_grad:  # frozen: it has no gradient to add to
            self._scale.seen(self._site)
            self._check_weights_are_frozen(activation)
            return None
        total = activation.x.new_zeros((), dtype=torch.float32)
        window = self._targets.window(activation.x, inputs)
        records = self._read(activation, self._initial_state(module, inputs, keywords), window)
        for (key, term), record in zip(self._terms, records, strict=True):
            value = self._strengths.times(key, term.value(record.statistic, record.denominator, xp))
            total = total + value * self._replicas(term, record.statistic)
            if not compiling and not is_vmap_batched(value):
                self._latest[key] = value.detach()
            if record.amount is not None:
                self._add_amount(key, record.amount)
        entry = activation.entry
        x = Inject.apply(entry, total, self._handle, self._site)  # type: ignore[no-untyped-call]
        if self._targets.are_due:
            x = self._targets.gauged(x, entry, activation, window)
        return replace_in(output, entry, x, self._site)

    @eager_only
    def _inject_plain(
        self, inputs: tuple[Any, ...], output: Any, x: Tensor, plans: list[Plan], at: Pass
    ) -> Any:
        """Inject at a plain output in an ordinary forward by its plans."""
        self._scale.seen(self._site)
        if not x.requires_grad:  # frozen: it has no gradient to add to
            return None
        total = x.new_zeros((), dtype=torch.float32)
        read = x.clone() if self._copies else x
        totals = totals_of(x) if self._targets else None
        window = self._targets.window(x, inputs)
        for plan in plans:
            term, statistic = plan.request.term, plan.read_eagerly(read, None, window, totals)
            value = self._strengths.times(plan.key, term.value(statistic, plan.denominator, xp))
            total = total + value * self._replicas(term, statistic)
            self._latest[plan.key] = value.detach()
            whole = Activation(x, plan.request.batch_axis)
            amount = self._targets.amount(whole, plan, totals, statistic)
            if amount is not None and at is not Pass.RECOMPUTED:
                self._targets.gauges[plan.key].add_amount(*amount)
        injected = Inject.apply(x, total, self._handle, self._site)  # type: ignore[no-untyped-call]
        if self._targets.are_due:
            injected = self._targets.gauged(injected, x, None, window)
        return injected if x is output else replace_in(output, x, injected, self._site)

    def _check_weights_are_frozen(self, activation: Activation) -> None:
        """Raise if the weights of units have a gradient, which the output cannot bring them."""
        if self._weights is None or activation.x.requires_grad:
            return
        axes = self._terms[0][1].batch_axis or activation.batch_axis
        if self._weights.beside(activation.x, axes).requires_grad:
            raise RegimeError(
                f"{self._site}: the output needs no gradient, and the weights of its units need "
                f"one, which with delivery='inject' comes by the output; use delivery='collect', "
                f"or detach the weights"
            )

    def _replicas(self, term: Formula, statistic: Tensor) -> int:
        """Return the factor with which the average over processes is the penalty of the batch.

        A mean needs none, if the parts of the batch are equal. A sum needs the number of processes.
        """
        if term.spans_samples(statistic):
            self._processes.check_stated(self._site, "a penalty of the whole batch")
            if self._processes.group is not None:
                raise RegimeError(
                    f"{self._site}: {term!r} needs the whole batch, which several processes share; "
                    f"use delivery='collect'"
                )
        return self._processes.size if term.reduce in (None, "sum") else 1

    def _add_amount(self, key: str, amount: Amount) -> None:
        if torch.compiler.is_compiling():
            raise RegimeError(
                f"{self._site}: compiled code with delivery='inject' cannot return what a target "
                f"measures; for a strength with a target use delivery='collect'"
            )
        if current_pass() is not Pass.RECOMPUTED:
            self._targets.gauges[key].add_amount(*amount)
