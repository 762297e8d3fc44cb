"""Hooks that belong to one regularization and do nothing in a copy of its model."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from regularizers.attach._function import penalise
from regularizers.attach._ledger import Ledger, Record
from regularizers.attach._outputs import activation_of
from regularizers.attach._rules import Select
from regularizers.penalties._elementary import Elementary


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
    return module.training and torch.is_grad_enabled()


class Tap(Hook):
    """The forward hook that reads one site."""

    def __init__(
        self,
        ledger: Ledger,
        site: str,
        terms: tuple[tuple[str, Elementary], ...],
        select: Select | None,
    ) -> None:
        self._ledger = ledger
        self._site = site
        self._terms = terms
        self._select = select

    def __call__(self, module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        """Record the penalties of `output`, which stays as it is."""
        if not is_recording(module):
            return
        x, batch_axis, mask = activation_of(module, output, self._select, self._site)
        records = []
        for key, term in self._terms:
            axis = batch_axis if term.batch_axis is None else term.batch_axis
            records.append(Record(key, penalise(x, term, axis, mask)))
        self._ledger.record(records)


class Begin(Hook):
    """Pre-hook of the model: a forward begins."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def __call__(self, model: nn.Module, inputs: tuple[Any, ...]) -> None:
        """Hold what is recorded from here on until the forward has ended."""
        if is_recording(model):
            self._ledger.begin()


class Commit(Hook):
    """Hook of the model: its forward ended well."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def __call__(self, model: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        """Let its records count."""
        if is_recording(model):
            self._ledger.commit()


class End(Hook):
    """Hook of the model that is always called: what was not committed has failed."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def __call__(self, model: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        """Forget the records of a forward that raised."""
        if is_recording(model):
            self._ledger.end()
