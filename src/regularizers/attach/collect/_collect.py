"""The default delivery: the penalty as an ordinary term of the loss."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from regularizers.attach._pause import Pause
from regularizers.attach._processes import Processes
from regularizers.attach._weights_in_loss import WeightsInLoss
from regularizers.attach.collect._all_reduce import across
from regularizers.attach.collect._batched import Reader
from regularizers.attach.collect._forward_boundaries import Begin, Commit, End
from regularizers.attach.collect._ledger import AnyRecord, Ledger, Unread
from regularizers.attach.collect._tap import Collecting
from regularizers.attach.reading import Gauge, Record, device_of, never_fired, total, xp
from regularizers.attach.sites import ActivitySite, Entry, Following, Sites, Strengths
from regularizers.errors import CollectionError, RegimeError
from regularizers.modules import Masks
from regularizers.penalties import Formula


class Collect:
    """Taps record what the penalties are functions of; `penalty` turns it into one number."""

    def __init__(
        self,
        model: nn.Module,
        sites: Sites,
        strengths: Strengths,
        max_uncollected: int,
        processes: Processes,
    ) -> None:
        self._model = model
        self._sites = sites
        self._strengths = strengths
        self._processes = processes
        self._gauges: dict[str, Gauge] = {}
        self._ledger = Ledger(max_uncollected)
        self._entries: dict[str, Entry] = {}
        self.weights = WeightsInLoss(sites)
        self.masks = Masks()
        self.pause = Pause(self._ledger, self.weights)
        self._silent: set[str] = set()
        self.last: dict[str, Tensor] | None = None

    def attach(self, gauges: Mapping[str, Gauge], following: Following) -> list[RemovableHandle]:
        """Put the hooks in; `following` lets outputs join that are added later."""
        handles = [*self.weights.attach(self._model), *self.add(self._sites.activities, gauges)]
        if self._sites.activities:
            handles += [
                self._model.register_forward_pre_hook(Begin(self._ledger, following), prepend=True),
                self._model.register_forward_hook(Commit(self._ledger)),
                self._model.register_forward_hook(End(self._ledger), always_call=True),
            ]
        return handles

    def add(
        self, activities: Iterable[ActivitySite], gauges: Mapping[str, Gauge]
    ) -> list[RemovableHandle]:
        """Put hooks in at sites that are new, and know the weights that have joined."""
        self._gauges |= gauges
        self._entries = {entry.key: entry for entry in self._sites.entries}
        self._reader = Reader(self._entries.values())
        self.weights.follow()
        handles = []
        for site in activities:
            if not site.rule.optional:
                self._silent |= {entry.key for entry in site.entries}
            tap = Collecting(
                site, self._model, self.masks, self._gauges, self._ledger, self._strengths
            )
            handles.append(tap.attach(site.module))
        return handles

    def close(self) -> None:
        """Record nothing any more, also from hooks that a compiled program holds."""
        self.pause.close()
        self._ledger.clear()

    @torch._disable_dynamo  # type: ignore[attr-defined]
    def penalty(self) -> Tensor:
        """Return the sum of all penalties; what was recorded is dropped with it.

        A compiler leaves it out: which records count is known only when the program runs.
        """
        records = self._taken()
        sums, others = self._reader.sums(records)
        values = {key: self._strengths.times(key, u) for key, u in self._units(others).items()}
        last = {key: value.detach() for key, value in values.items()}
        parts = [*values.values(), *[each.penalty(self._strengths, last) for each in sums]]
        unread = {record.key for record in records if isinstance(record, Unread)} - last.keys()
        if unread:
            nothing = torch.zeros((), device=device_of(self._model))
            last |= dict.fromkeys(sorted(unread), nothing)
            if not parts:
                parts.append(nothing.clone().requires_grad_())  # as it is of any other strength
        self.last = (self.last or {}) | last
        return total(parts, self._model)

    def _units(self, records: Sequence[Record]) -> dict[str, Tensor]:
        """Return the penalties for a strength of 1, those of several calls added up."""
        units: dict[str, Tensor] = {}
        for record in records:
            value: Tensor = self._term(record.key).value(record.statistic, record.denominator, xp)
            known = units.get(record.key)
            units[record.key] = value if known is None else known + value
            if record.amount is not None:
                self._gauges[record.key].measured(record.amount)
        return units | self.weights.units()

    def _taken(self) -> Sequence[AnyRecord]:
        """Return what was recorded, of the whole batch if several processes share it."""
        group = self._processes.group
        if group is None:
            self._check()
            return self._ledger.take()
        self._check_joins()
        failed: CollectionError | None = None
        try:
            self._check()
        except CollectionError as error:
            failed = error
        taken = [] if failed else self._ledger.take()
        unread = [record for record in taken if isinstance(record, Unread)]
        records = self._reader.each_read([r for r in taken if not isinstance(r, Unread)])
        terms = [self._term(record.key) for record in records]
        return [*across(records, terms, group, device_of(self._model), failed), *unread]

    def _term(self, key: str) -> Formula:
        return self._entries[key].term

    def _check(self) -> None:
        """Raise unless what was recorded is what the loss is about."""
        if not self._sites.activities or not torch.is_grad_enabled():
            return
        self._ledger.check_complete()
        records = list(self._ledger.records())
        if self._silent:
            self._check_every_site_fired(records)
        self._check_unread(records)
        if not torch.compiler.is_compiling():
            self._ledger.check_alive(records)
            if self._processes.are_unsaid():
                self._check_whole_batch(records)

    def _check_joins(self) -> None:
        """Raise if several processes share a batch of which they cannot join their parts."""
        for key, entry in self._entries.items():
            if entry.kind in ("activity", "temporal") and not entry.term.joins:
                raise RegimeError(
                    f"{key}: {entry.term!r} is a function of the whole batch, which is spread over "
                    f"several processes; say over what it adds up: additive='samples' or "
                    f"'elements', derive from Term, or say process_group='local'"
                )

    def _check_whole_batch(self, records: Iterable[AnyRecord]) -> None:
        """Raise if it matters which processes share the batch, since that was not said."""
        for record in records:
            if isinstance(record, Record) and self._spans_samples(record):
                self._processes.check_said(record.key, "a penalty of the whole batch")

    def _spans_samples(self, record: Record) -> bool:
        return self._term(record.key).spans_samples(record.statistic)

    def _check_every_site_fired(self, records: Iterable[AnyRecord]) -> None:
        self._silent -= {record.key for record in records}
        for key in self._entries:
            if key in self._silent:
                raise self._never_fired(self._entries[key])

    def _check_unread(self, records: Iterable[AnyRecord]) -> None:
        for record in records:
            if isinstance(record, Unread) and (strength := self._strengths[record.key]):
                self._ledger.clear()
                raise CollectionError(
                    f"{record.key}: its strength was 0 in the forward, which therefore read "
                    f"nothing, and is {strength:g} now; set strengths before the forward"
                )

    def _never_fired(self, entry: Entry) -> CollectionError:
        module = next(s.module for s in self._sites.activities if entry in s.entries)
        return CollectionError(
            never_fired(
                entry.site,
                training=module.training,
                without_gradients=entry.site in self._ledger.without_gradients,
            )
        )
