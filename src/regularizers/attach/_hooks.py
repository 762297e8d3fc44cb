"""Hooks that belong to one regularization and do nothing in a copy of its model."""

from __future__ import annotations

import weakref
from abc import abstractmethod
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from regularizers.attach import _namespace as xp
from regularizers.attach import _ops
from regularizers.attach._function import Inject, measure
from regularizers.attach._ledger import Ledger, Record
from regularizers.attach._masks import Masks, mask_of, masked
from regularizers.attach._outputs import Activation, activation_of, replace_in, state_before
from regularizers.attach._regime import (
    Pass,
    current_pass,
    is_batched_alone,
    is_first_reentrant_pass,
    may_hold_a_part_of_the_units,
)
from regularizers.attach._scale import Scale
from regularizers.attach._sites import ActivitySite
from regularizers.attach._strengths import Strengths
from regularizers.attach._time import in_time, with_state_before
from regularizers.errors import RegimeError


class Hook:
    """A hook that is left behind, inert, when its module is copied or pickled."""

    def __reduce__(self) -> tuple[type[Inert], tuple[()]]:
        return Inert, ()


class Inert(Hook):
    """What a copied model has in the place of a hook; the next regularization removes it."""

    def __call__(self, *_: Any) -> None:
        """Do nothing."""


def is_recording(module: nn.Module) -> bool:
    """Return whether the penalty of what `module` puts out can reach a gradient."""
    return module.training and torch.is_grad_enabled() and not torch.compiler.is_exporting()


class Tap(Hook):
    """The forward hook that reads one site; what it does with a reading is its children's."""

    def __init__(self, site: ActivitySite, model: nn.Module, masks: Masks) -> None:
        self._model = weakref.ref(model)
        self._checked = False
        self._rule = site.rule
        self._masks = masks
        self._site = site.name
        self._terms = tuple([(entry.key, entry.term) for entry in site.entries])
        self._in_time = tuple([in_time(term, site.name) for _, term in self._terms])

    def attach(self, module: nn.Module) -> RemovableHandle:
        """Put the hook in; one that is told all inputs only where they are asked for."""
        if self._rule.mask is None and not self._rule.carry:
            return module.register_forward_hook(self)
        return module.register_forward_hook(WithKeywords(self), with_kwargs=True)

    @abstractmethod
    def __call__(
        self,
        module: nn.Module,
        inputs: tuple[Any, ...],
        output: Any,
        keywords: dict[str, Any] | None = None,
    ) -> Any:
        """Read `output`, which `module` made of the inputs."""

    def _activation(
        self,
        module: nn.Module,
        inputs: tuple[Any, ...],
        output: Any,
        keywords: dict[str, Any] | None,
    ) -> Activation:
        if getattr(module, "_is_replica", False):
            raise RegimeError(
                f"{self._site}: nn.DataParallel runs copies of the model, whose records are lost; "
                f"use torch.nn.parallel.DistributedDataParallel"
            )
        if not self._checked and not torch.compiler.is_compiling():
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

    def _state_before(
        self, module: nn.Module, inputs: tuple[Any, ...], keywords: dict[str, Any] | None
    ) -> Tensor | None:
        """Return the state that joins the first difference, if the rule asks for it."""
        if not self._rule.carry:
            return None
        return state_before(module, inputs, (keywords or {}).get("hx"), self._site)

    def _check_units_are_whole(self, module: nn.Module) -> None:
        model = self._model()
        for _, term in self._terms:
            if term.adds_over_units or model is None:
                continue
            if may_hold_a_part_of_the_units(module, model):
                raise RegimeError(
                    f"{self._site}: under tensor parallelism this output may hold a part of the "
                    f"units, of which {term!r} cannot be added up; penalise a module sharded by "
                    f"rows, whose output is whole, or use L1, L2Squared or KLSparsity with "
                    f"'sum' or 'batch_mean'"
                )
        self._checked = True

    def _read(self, activation: Activation, before: Tensor | None) -> list[Record]:
        """Return what the penalties of an activation are functions of."""
        records = []
        for (key, term), timed in zip(self._terms, self._in_time, strict=True):
            x, batch_axis, mask = activation[:3]
            if timed is not None:
                term = timed.of(activation)
                if before is not None:
                    x, _, mask = with_state_before(activation, before)[:3]
            axes = batch_axis if term.batch_axis is None else term.batch_axis
            copy = self._rule.copy
            records.append(Record(key, *measure(x, term, axes, mask, site=self._site, copy=copy)))
        return records


class WithKeywords(Hook):
    """A hook that is told keyword arguments too."""

    def __init__(self, tap: Tap) -> None:
        self._tap = tap

    def __call__(
        self, module: nn.Module, inputs: tuple[Any, ...], keywords: dict[str, Any], output: Any
    ) -> Any:
        """Read `output`."""
        return self._tap(module, inputs, output, keywords)


class Collecting(Tap):
    """Records the penalties of a site, to be collected after the forward."""

    def __init__(self, site: ActivitySite, model: nn.Module, masks: Masks, ledger: Ledger) -> None:
        super().__init__(site, model, masks)
        self._ledger = ledger

    def __call__(
        self,
        module: nn.Module,
        inputs: tuple[Any, ...],
        output: Any,
        keywords: dict[str, Any] | None = None,
    ) -> None:
        """Record the penalties of `output`, which stays as it is."""
        if self._ledger.closed:
            return
        if not is_recording(module):
            self._refuse_first_reentrant_pass(module)
            return
        before = self._state_before(module, inputs, keywords)
        records = self._read(self._activation(module, inputs, output, keywords), before)
        if torch.compiler.is_compiling():
            self._ledger.record(
                [
                    Record(r.key, r.statistic, r.tally, _ops.backward_id(r.statistic.detach()))
                    for r in records
                ]
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


class Injecting(Tap):
    """Lets the gradient of the penalties of a site enter by its output."""

    def __init__(
        self,
        site: ActivitySite,
        model: nn.Module,
        masks: Masks,
        scale: Scale,
        strengths: Strengths,
        latest: dict[str, Tensor],
    ) -> None:
        super().__init__(site, model, masks)
        self._scale = scale
        self._handle = scale.handle
        self._strengths = strengths
        self._latest = latest

    def __call__(
        self,
        module: nn.Module,
        inputs: tuple[Any, ...],
        output: Any,
        keywords: dict[str, Any] | None = None,
    ) -> Any:
        """Return `output` with a part that is equal to what it was, and brings the gradient."""
        compiling = torch.compiler.is_compiling()
        if module.training and not compiling:
            self._scale.seen(self._site)
        if self._scale.closed or not is_recording(module):
            return None
        activation = self._activation(module, inputs, output, keywords)
        if not compiling and is_batched_alone():
            raise RegimeError(
                f"{self._site}: within vmap alone the gradient cannot enter for each member; call "
                f"scale_from within torch.func.grad, within vmap, or use delivery='collect'"
            )
        if not activation.x.requires_grad:  # frozen: there is no gradient to enter
            self._scale.seen(self._site)
            return None
        total = activation.x.new_zeros((), dtype=torch.float32)
        records = self._read(activation, self._state_before(module, inputs, keywords))
        for (key, term), record in zip(self._terms, records, strict=True):
            value = self._strengths.times(key, term.value(record.statistic, record.tally, xp))
            total = total + value
            if not compiling:
                self._latest[key] = value.detach()
        entry = activation.entry
        x = Inject.apply(entry, total, self._handle, self._site)  # type: ignore[no-untyped-call]
        return replace_in(output, entry, x, self._site)


class Begin(Hook):
    """Pre-hook of the model: a forward begins."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def __call__(self, model: nn.Module, inputs: tuple[Any, ...]) -> None:
        """Hold what is recorded from here on until the forward has ended."""
        if is_recording(model) and not self._ledger.closed:
            self._ledger.begin()


class Commit(Hook):
    """Hook of the model: its forward ended well."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def __call__(self, model: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        """Let its records count."""
        if is_recording(model) and not self._ledger.closed:
            self._ledger.commit()


class End(Hook):
    """Hook of the model that is always called: what was not committed has failed."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def __call__(self, model: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        """Forget the records of a forward that raised."""
        if is_recording(model) and not self._ledger.closed:
            self._ledger.end()
