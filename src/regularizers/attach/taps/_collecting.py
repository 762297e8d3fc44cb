"""The hook of the default delivery: it records."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from regularizers.attach import _ops, _together
from regularizers.attach._function import MeasureNow, Reading
from regularizers.attach._gauge import Gauge
from regularizers.attach._hooks import is_recording
from regularizers.attach._ledger import Ledger, Record, Unread, Waiting
from regularizers.attach._masks import Masks
from regularizers.attach._outputs import replace_in
from regularizers.attach._regime import (
    Pass,
    current_pass,
    is_first_reentrant_pass,
    is_plain_forward,
    never_compiled,
)
from regularizers.attach._sites import ActivitySite
from regularizers.attach._strengths import Strengths
from regularizers.attach.taps._tap import Tap
from regularizers.errors import RegimeError
from regularizers.penalties._frame import Tally
from regularizers.penalties._separable import Separable

_SHAPES = 100
"""How many shapes of outputs are remembered."""


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
        self._readings = [
            (key, Reading(term, term.batch_axis or 0, self._site, None))
            for key, term in self._terms
        ]
        self._copies = self._rule.copy and any(term.keeps == "input" for _, term in self._terms)
        self._tallies: dict[tuple[str, torch.Size], Tally] = {}
        self._is_simple = (
            self._rule.select is None
            and self._rule.mask is None
            and not (self._rule.carry or self._gauges or any(self._in_time))
            and not isinstance(site.module, (nn.RNNBase, nn.RNNCellBase))
            and all(isinstance(term, Separable) for _, term in self._terms)
        )

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
        if not torch.compiler.is_compiling():
            if self._is_off():
                self._ledger.record(self._unread)
                return None
            if self._is_simple and self._is_plain(module, output):
                self._check(module, output)
                self._record_plainly(output)
                return None
        before = self._state_before(module, inputs, keywords)
        activation = self._activation(module, inputs, output, keywords)
        self._record(self._read(activation, before))
        entry = activation.entry
        watched = self._watched(activation, entry)
        return None if watched is entry else replace_in(output, entry, watched, self._site)

    @never_compiled
    def _is_plain(self, module: nn.Module, output: Any) -> bool:
        """Return whether nothing about an output is to be looked into: neither it nor when."""
        return (
            type(output) is Tensor
            and output.dtype.is_floating_point
            and output.numel() > 0
            and not self._masks.any
            and "_is_replica" not in module.__dict__
            and is_plain_forward()
        )

    def _record_plainly(self, output: Tensor) -> None:
        """Record the penalties of an output with no more around them than must be."""
        if output.numel() <= _together.SMALL:
            x = output.clone()
            self._ledger.record([Waiting(key, x) for key, _ in self._terms])
            return
        x = output.clone() if self._copies else output
        self._ledger.record(
            [
                Record(
                    key,
                    MeasureNow.apply(x, None, reading)[0],  # type: ignore[no-untyped-call]
                    self._tally(key, reading, output),
                )
                for key, reading in self._readings
            ]
        )

    def _tally(self, key: str, reading: Reading, output: Tensor) -> Tally:
        """Return what a statistic is divided by, which depends on the shape of an output alone."""
        place = key, output.shape
        if place not in self._tallies:
            if len(self._tallies) > _SHAPES:
                self._tallies.clear()
            frame = reading.frame(output.shape, torch.float32, None)
            self._tallies[place] = reading.term.tally(frame)
        return self._tallies[place]

    def _check(self, module: nn.Module, output: Tensor) -> None:
        """Check the first time what reading an output would check each time."""
        if not self._checked:
            for _, term in self._terms:
                term.check_shape(tuple(output.shape))
            self._check_units_are_whole(module)

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
