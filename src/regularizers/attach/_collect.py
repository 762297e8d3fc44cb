"""The default delivery: the penalty as an ordinary term of the loss."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from regularizers.attach import _namespace as xp
from regularizers.attach._hooks import Begin, Collecting, Commit, End
from regularizers.attach._ledger import Ledger
from regularizers.attach._regime import check_alive
from regularizers.attach._sites import Entry, Sites
from regularizers.attach._strengths import Strengths
from regularizers.errors import CollectionError


class Collect:
    """Taps record what the penalties are functions of; `penalty` turns it into one number."""

    def __init__(
        self, model: nn.Module, sites: Sites, strengths: Strengths, max_uncollected: int
    ) -> None:
        self._model = model
        self._sites = sites
        self._strengths = strengths
        self._ledger = Ledger(max_uncollected)
        self._entries = {entry.key: entry for entry in sites.entries}
        self._silent = {entry.key for site in sites.activities for entry in site.entries}
        self.last: dict[str, Tensor] | None = None

    def attach(self) -> list[RemovableHandle]:
        """Put the hooks in."""
        if not self._sites.activities:
            return []
        return [
            *[
                site.module.register_forward_hook(Collecting(site, self._ledger))
                for site in self._sites.activities
            ],
            self._model.register_forward_pre_hook(Begin(self._ledger), prepend=True),
            self._model.register_forward_hook(Commit(self._ledger)),
            self._model.register_forward_hook(End(self._ledger), always_call=True),
        ]

    def close(self) -> None:
        """Record nothing any more, also from hooks that a compiled program holds."""
        self._ledger.closed = True
        self._ledger.clear()

    def penalty(self) -> Tensor:
        """Return the sum of all penalties; what was recorded is dropped with it."""
        if self._sites.activities and torch.is_grad_enabled():
            self._ledger.check_complete()
            self._check_every_site_fired()
        values = {key: self._strengths.times(key, unit) for key, unit in self._units().items()}
        self.last = {key: value.detach() for key, value in values.items()}
        return total(values.values(), self._model)

    def _units(self) -> dict[str, Tensor]:
        """Return the penalties for a strength of 1, those of several calls added up."""
        units: dict[str, Tensor] = {}
        for record in self._ledger.take():
            if not torch.compiler.is_compiling():
                check_alive(record.statistic, record.key)
            term = self._entries[record.key].term
            value: Tensor = term.value(record.statistic, record.tally, xp)
            known = units.get(record.key)
            units[record.key] = value if known is None else known + value
        return units | self._sites.weight_units()

    def _check_every_site_fired(self) -> None:
        self._silent -= {record.key for record in self._ledger.records()}
        for key in self._entries:
            if key in self._silent:
                raise self._never_fired(self._entries[key])

    def _never_fired(self, entry: Entry) -> CollectionError:
        module = next(s.module for s in self._sites.activities if entry in s.entries)
        why = (
            "is it called by the forward, as module(x) and not as module.forward(x), and was "
            "Regularization attached before the model was first compiled?"
            if module.training
            else "it is in evaluation mode"
        )
        return CollectionError(f"{entry.site}: the site has never fired with gradients; {why}")


def total(values: Iterable[Tensor], model: nn.Module) -> Tensor:
    """Return the sum of penalties, which may lie on several devices; 0 where there are none."""
    parts = list(values)
    if not parts:
        anywhere = next(model.parameters(), torch.zeros(()))
        return torch.zeros((), device=anywhere.device)
    result = parts[0]
    for part in parts[1:]:
        result = result + part.to(result.device)
    return result
