"""The default delivery: the penalty as an ordinary term of the loss."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor
from torch.utils.hooks import RemovableHandle

from regularizers.attach._delivery import Attachment, Pause
from regularizers.attach.collect._all_reduce import all_reduce_records
from regularizers.attach.collect._batched import BatchedReader
from regularizers.attach.collect._forward_boundaries import ForwardCommit, ForwardEnd, ForwardStart
from regularizers.attach.collect._ledger import AnyRecord, Ledger, Unread
from regularizers.attach.collect._tap import Collecting
from regularizers.attach.reading import (
    Gauge,
    Record,
    WeightsInLoss,
    device_of,
    never_fired_message,
    total,
    xp,
)
from regularizers.attach.sites import ActivitySite, Entry, FollowHook
from regularizers.errors import CollectionError, RegimeError
from regularizers.modules import Masks


class Collect:
    """Taps record statistics; `penalty` turns them into one number."""

    def __init__(self, attachment: Attachment) -> None:
        self._model = attachment.model
        self._sites = attachment.sites
        self._strengths = attachment.strengths
        self._processes = attachment.processes
        self._gauges: dict[str, Gauge] = {}
        self._ledger = Ledger(attachment.max_uncollected)
        self._entries: dict[str, Entry] = {}
        self.weights = WeightsInLoss(attachment.sites)
        self.masks = Masks()
        self.pause = Pause(self._ledger, self.weights)
        self._silent: set[str] = set()
        self.last: dict[str, Tensor] | None = None

    def attach(self, gauges: Mapping[str, Gauge], follow_hook: FollowHook) -> list[RemovableHandle]:
        """Register the hooks; `follow_hook` adds sites when the model gains modules."""
        handles = [*self.weights.attach(self._model), *self.add(self._sites.activities, gauges)]
        if self._sites.activities:
            handles += [
                self._model.register_forward_pre_hook(
                    ForwardStart(self._ledger, follow_hook), prepend=True
                ),
                self._model.register_forward_hook(ForwardCommit(self._ledger)),
                self._model.register_forward_hook(ForwardEnd(self._ledger), always_call=True),
            ]
        return handles

    def add(
        self, activities: Iterable[ActivitySite], gauges: Mapping[str, Gauge]
    ) -> list[RemovableHandle]:
        """Register hooks at new sites, and add new weights."""
        self._gauges |= gauges
        self._entries = {entry.key: entry for entry in self._sites.entries}
        self._reader = BatchedReader(self._entries.values())
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
        """Stop recording for good, also in hooks that a compiled program holds."""
        self.pause.close()
        self._ledger.clear()

    @torch._disable_dynamo  # type: ignore[attr-defined]
    def penalty(self) -> Tensor:
        """Return the sum of all penalties, and clear the ledger.

        The compiler skips this method: which records count is known only at run time.
        """
        has_unread = self._ledger.has_unread
        records = self._taken()
        linear, others = self._reader.split(records)
        parts: list[Tensor] = []
        last: dict[str, Tensor] = {}
        for key, unit in self._units(others).items():
            value = self._strengths.times(key, unit)
            parts.append(value)
            last[key] = value.detach()
        parts += [each.penalty(self._strengths, last) for each in linear]
        if has_unread:
            zero = torch.zeros((), device=device_of(self._model))
            last = {r.key: zero for r in records if isinstance(r, Unread)} | last
            if not parts:
                parts.append(zero.clone().requires_grad_())  # backward() works as at any strength
        self.last = last if self.last is None else self.last | last
        return total(parts, self._model)

    def scale_from(self, loss: Tensor) -> Tensor:
        """Raise: the penalty is a term of the loss."""
        raise _is_for_inject("scale_from")

    def set_scale(self, scale: float | None) -> None:
        """Raise: the penalty is a term of the loss, and scaled with it."""
        raise _is_for_inject("set_scale")

    def check_fired(self) -> None:
        """Raise: a collection looks for that itself."""
        raise _is_for_inject("check_fired")

    def _units(self, records: Sequence[Record]) -> dict[str, Tensor]:
        """Return the penalties at strength 1, summed over calls."""
        units: dict[str, Tensor] = {}
        for record in records:
            term = self._entries[record.key].term
            value: Tensor = term.value(record.statistic, record.denominator, xp)
            known = units.get(record.key)
            units[record.key] = value if known is None else known + value
            if record.amount is not None:
                self._gauges[record.key].add_amount(*record.amount)
        return units | self.weights.units()

    def _taken(self) -> Sequence[AnyRecord]:
        """Return the records and clear the ledger; join the processes that share the batch."""
        group = self._processes.group
        if group is None:
            records = self._checked()
            self._ledger.clear()
            return records
        self._check_joins()
        failed: CollectionError | None = None
        taken: list[AnyRecord] = []
        try:
            taken = self._checked()
        except CollectionError as error:
            failed = error
        else:
            self._ledger.clear()
        unread = [record for record in taken if isinstance(record, Unread)]
        read = self._reader.read_copies([r for r in taken if not isinstance(r, Unread)])
        terms = [self._entries[record.key].term for record in read]
        return [*all_reduce_records(read, terms, group, device_of(self._model), failed), *unread]

    def _checked(self) -> list[AnyRecord]:
        """Return the records; raise unless they are complete."""
        if not self._sites.activities or not torch.is_grad_enabled():
            return self._ledger.records()
        records = self._ledger.check_complete()
        if self._silent:
            self._check_every_site_fired(records)
        if self._ledger.has_unread:
            self._check_unread(records)
        if not torch.compiler.is_compiling():
            if self._ledger.has_transformed:
                self._ledger.check_alive(records)
            if self._processes.are_unstated():
                self._check_whole_batch(records)
        return records

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
        """Raise if a penalty depends on which processes share the batch."""
        for record in records:
            if isinstance(record, Record) and self._spans_samples(record):
                self._processes.check_stated(record.key, "a penalty of the whole batch")

    def _spans_samples(self, record: Record) -> bool:
        return self._entries[record.key].term.spans_samples(record.statistic)

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
                    f"{record.key}: its strength was 0 in the forward, so the output was not read, "
                    f"and is {strength:g} now; set strengths before the forward"
                )

    def _never_fired(self, entry: Entry) -> CollectionError:
        module = next(s.module for s in self._sites.activities if entry in s.entries)
        return CollectionError(
            never_fired_message(
                entry.site,
                training=module.training,
                without_gradients=entry.site in self._ledger.without_gradients,
            )
        )


def _is_for_inject(method: str) -> RegimeError:
    return RegimeError(
        f"{method} is for Regularization(..., delivery='inject'); here write loss + reg.penalty()"
    )
