"""The hook of the default delivery: it records."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from regularizers.attach.collect._ledger import AnyRecord, Ledger, Unread, Waiting
from regularizers.attach.collect._ops import backward_id
from regularizers.attach.reading import (
    KINDS,
    REVERSIBLE,
    Gauge,
    Plan,
    Record,
    Tap,
    plan_for,
)
from regularizers.attach.sites import ActivitySite, Strengths
from regularizers.errors import RegimeError
from regularizers.modules import (
    KNOWING_THEIR_AXES,
    Masks,
    Pass,
    current_pass,
    is_first_reentrant_pass,
    is_recording,
    replace_in,
    simple_pass,
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
        self._copies = self._rule.copy and any(term.saves == "input" for _, term in self._terms)
        self._elementwise = all(is_elementwise(term) for _, term in self._terms)
        self._met: dict[tuple[torch.Size, torch.dtype], list[Plan]] = {}
        self._is_simple = (
            self._rule.select is None
            and self._rule.mask is None
            and not (self._rule.carry or self._gauges or any(self._in_time))
            and not isinstance(site.module, KNOWING_THEIR_AXES)
        )

    def __call__(
        self,
        module: nn.Module,
        inputs: tuple[Any, ...],
        output: Any,
        keywords: dict[str, Any] | None = None,
    ) -> Any:
        """Record the penalties of `output`, which stays as it is; equal to it, if it is watched."""
        if self._record_plainly(module, output) or self._ledger.closed:
            return None
        if not is_recording(module):
            self._refuse_first_reentrant_pass(module)
            return None
        if not torch.compiler.is_compiling() and self._is_off():
            self._ledger.record(self._unread)
            return None
        before = self._state_before(module, inputs, keywords)
        activation = self._activation(module, inputs, output, keywords)
        self._record(self._read(activation, before))
        entry = activation.entry
        watched = self._watched(activation, entry)
        return None if watched is entry else replace_in(output, entry, watched, self._site)

    def _meet(self, module: nn.Module, output: Tensor) -> list[Plan]:
        """Check an output of a new shape or type, and plan how it is read."""
        for _, term in self._terms:
            term.check_shape(tuple(output.shape))
        if not self._checked:
            self._check_units_are_whole(module)
        if len(self._met) == KINDS:
            self._met.clear()
        plans = self._met[output.shape, output.dtype] = [
            plan_for(key, output, term, term.batch_axis or 0, site=self._site)
            for key, term in self._terms
        ]
        return plans

    def _record_plainly(self, module: nn.Module, output: Any) -> bool:
        """Record the penalties of an output if neither it nor its pass asks for a closer look.

        Return whether it did. This is one function and asks for little of a kind met before:
        between large operations the processor has forgotten where Python is, and each call of
        another costs it microseconds.
        """
        if (
            type(output) is not Tensor
            or not (module.training and torch.is_grad_enabled())
            or torch.compiler.is_compiling()
            or self._ledger.closed
            or self._masks.any
            or "_is_replica" in module.__dict__
        ):
            return False
        if self._strengths_at != self._strengths.version:
            self._look_at_strengths()
        try:
            plans = self._met.get((output.shape, output.dtype))
        except RuntimeError:  # a nested tensor may have no shape
            return False
        if plans is None and not (self._is_simple and output.dtype.is_floating_point):
            return False
        at = simple_pass()
        if at is None:
            return False
        if plans is None:
            if output.numel() == 0 or self._is_off():
                return False
            plans = self._meet(module, output)
        is_plain = at is Pass.FORWARD
        if self._is_zero and is_plain:
            return False
        records: list[AnyRecord]
        if is_plain and self._elementwise and output.numel() <= thresholds.COPIED:
            x = output.clone()
            records = [Waiting(key, x) for key, _ in self._terms]
        else:
            x = output.clone() if self._copies else output
            records = [Record(plan.key, plan.read_eagerly(x), plan.denominator) for plan in plans]
        if at is not Pass.RECOMPUTED:  # which is read only to save the same as the forward did
            self._ledger.record(records)
        return True

    def _record(self, records: list[Record]) -> None:
        if torch.compiler.is_compiling():
            within = self._ledger.backward_id
            if within is None:
                within = backward_id(records[0].statistic.detach())
            self._ledger.hold([record._replace(backward_id=within) for record in records])
            return
        match current_pass():
            case Pass.FORWARD:
                self._ledger.record(records)
            case Pass.RECOMPUTED:
                pass  # computed all the same, since the checkpoint compares what was saved
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
