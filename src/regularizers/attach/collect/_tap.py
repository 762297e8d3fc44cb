"""The hook of the default delivery: it adds records to the ledger."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from regularizers.attach.collect._ledger import AnyRecord, CopiedOutput, Ledger, Unread
from regularizers.attach.collect._ops import backward_id
from regularizers.attach.reading import (
    REVERSIBLE,
    Gauge,
    Plan,
    Record,
    Tap,
)
from regularizers.attach.sites import ActivitySite, Strengths
from regularizers.control import Target
from regularizers.errors import RegimeError
from regularizers.modules import (
    Activation,
    Masks,
    Pass,
    current_pass,
    eager_only,
    is_first_reentrant_pass,
    is_recording,
    is_transformed,
    replace_in,
    totals_of,
)
from regularizers.penalties import is_elementwise
from regularizers.penalties.kernels import thresholds


class Collecting(Tap):
    """Records the penalties of a site, to be collected after the forward."""

    def __init__(
        self,
        site: ActivitySite,
        model: nn.Module,
        masks: Masks,
        gauges: Mapping[str, Gauge],
        ledger: Ledger,
        strengths: Strengths,
    ) -> None:
        super().__init__(site, model, masks, gauges, strengths)
        self._ledger = ledger
        self._unread = [Unread(key) for key, _ in self._terms]
        self._elementwise = all(
            is_elementwise(term) and not isinstance(term.strength, Target)
            for _, term in self._terms
        )

    def __call__(
        self,
        module: nn.Module,
        inputs: tuple[Any, ...],
        output: Any,
        keywords: dict[str, Any] | None = None,
    ) -> Any:
        """Record the penalties of `output`; return None, or for a target an equal output."""
        if self._ledger.closed:
            return None
        plain = self._plain(module, output)
        if plain is not None:
            return self._record_plain(inputs, output, *plain)
        if not is_recording(module):
            self._refuse_first_reentrant_pass(module)
            return None
        if not torch.compiler.is_compiling() and self._is_off():
            self._ledger.skip(self._unread)
            return None
        before = self._initial_state(module, inputs, keywords)
        activation = self._activation(module, inputs, output, keywords)
        window = self._targets.window(activation.x, inputs)
        self._record(self._read(activation, before, window))
        entry = activation.entry
        if not self._targets.are_due or not entry.requires_grad:
            return None
        gauged = self._targets.gauged(entry, entry, activation, window)
        return replace_in(output, entry, gauged, self._site)

    @eager_only
    def _record_plain(
        self, inputs: tuple[Any, ...], output: Any, x: Tensor, plans: list[Plan], at: Pass
    ) -> Any:
        """Record a plain output of an ordinary forward by its plans."""
        records: list[AnyRecord] = []
        window = None
        if self._elementwise and at is Pass.FORWARD and x.numel() <= thresholds.COPIED:
            copy = x.clone()
            for plan in plans:
                records.append(CopiedOutput(plan.key, copy, plan.denominator))  # noqa: PERF401
        else:
            read = x.clone() if self._copies else x
            totals = totals_of(x) if self._targets else None
            window = self._targets.window(x, inputs)
            for plan in plans:
                statistic = plan.read_eagerly(read, None, window, totals)
                whole = Activation(x, plan.request.batch_axis)
                amount = self._targets.amount(whole, plan, totals, statistic)
                records.append(Record(plan.key, statistic, plan.denominator, amount=amount))
        if at is not Pass.RECOMPUTED:  # a recomputation only has to save the same tensors
            self._ledger.record(records)
        if not self._targets.are_due or not x.requires_grad:
            return None
        gauged = self._targets.gauged(x, x, None, window)
        return gauged if x is output else replace_in(output, x, gauged, self._site)

    def _record(self, records: list[Record]) -> None:
        if torch.compiler.is_compiling():
            within = self._ledger.backward_id
            if within is None:
                within = backward_id(records[0].statistic.detach())
            self._ledger.hold([record._replace(backward_id=within) for record in records])
            return
        self._ledger.has_transformed = self._ledger.has_transformed or is_transformed()
        match current_pass():
            case Pass.FORWARD:
                self._ledger.record(records)
            case Pass.RECOMPUTED:
                pass  # was read only because the checkpoint compares the saved tensors
            case Pass.REENTRANT:
                raise self._reentrant()

    def _refuse_first_reentrant_pass(self, module: nn.Module) -> None:
        if not module.training or torch.compiler.is_compiling():
            return
        self._ledger.without_gradients.add(self._site)
        if not is_first_reentrant_pass():
            return
        if self._ledger.in_forward:
            raise self._reentrant()
        # the whole model may be checkpointed, or this may be a forward without gradients
        self._ledger.reentrant = self._ledger.reentrant or self._reentrant()

    def _reentrant(self) -> RegimeError:
        return RegimeError(
            f"{self._site}: a reentrant checkpoint or {REVERSIBLE} runs this site without "
            f"gradients first, so its penalty cannot be a term of the loss; use checkpoint(..., "
            f'use_reentrant=False), or Regularization(..., delivery="inject")'
        )
