"""The hook of the default delivery: it records."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from regularizers.attach import _ops
from regularizers.attach._gauge import Gauge
from regularizers.attach._hooks import is_recording
from regularizers.attach._ledger import Ledger, Record
from regularizers.attach._masks import Masks
from regularizers.attach._outputs import replace_in
from regularizers.attach._regime import (
    Pass,
    current_pass,
    is_first_reentrant_pass,
)
from regularizers.attach._sites import ActivitySite
from regularizers.attach.taps._tap import Tap
from regularizers.errors import RegimeError


class Collecting(Tap):
    """Records the penalties of a site, to be collected after the forward."""

    def __init__(
        self,
        site: ActivitySite,
        model: nn.Module,
        masks: Masks,
        gauges: Mapping[str, Gauge],
        ledger: Ledger,
    ) -> None:
        super().__init__(site, model, masks, gauges)
        self._ledger = ledger

    def __call__(
        self,
        module: nn.Module,
        inputs: tuple[Any, ...],
        output: Any,
        keywords: dict[str, Any] | None = None,
    ) -> Any:
        """Record the penalties of `output`, which stays as it is; equal to it, if it is watched."""
        if self._ledger.closed:
            return None
        if not is_recording(module):
            self._refuse_first_reentrant_pass(module)
            return None
        before = self._state_before(module, inputs, keywords)
        activation = self._activation(module, inputs, output, keywords)
        self._record(self._read(activation, before))
        entry = activation.entry
        watched = self._watched(activation, entry)
        return None if watched is entry else replace_in(output, entry, watched, self._site)

    def _record(self, records: list[Record]) -> None:
        if torch.compiler.is_compiling():
            self._ledger.record(
                [r._replace(backward_id=_ops.backward_id(r.statistic.detach())) for r in records]
            )
            return
        match current_pass():
            case Pass.FORWARD:
                self._ledger.record(records)
            case Pass.RECOMPUTED:
                pass  # computed all the same, since the checkpoint compares what was saved
            case Pass.REENTRANT:
                raise self._reentrant()

    def _refuse_first_reentrant_pass(self, module: nn.Module) -> None:
        if not module.training or torch.compiler.is_compiling() or not is_first_reentrant_pass():
            return
        if self._ledger.in_forward:
            raise self._reentrant()
        # the whole model may be checkpointed, or this may be a forward without gradients
        self._ledger.reentrant = self._ledger.reentrant or self._reentrant()

    def _reentrant(self) -> RegimeError:
        return RegimeError(
            f"{self._site}: a reentrant checkpoint runs this site without gradients first, so its "
            f"penalty cannot be a term of the loss; use checkpoint(..., use_reentrant=False), or "
            f'Regularization(..., delivery="inject")'
        )
