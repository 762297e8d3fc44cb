"""Small outputs, which a tap only copies, and which are read all at once when collected.

Of a small output the call that reads it costs more than the reading. A copy is cheap; it is in the
graph of what was copied, and nobody else can change it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from regularizers.attach import _namespace as xp
from regularizers.attach._ledger import AnyRecord, Record, Waiting
from regularizers.attach._sites import Entry
from regularizers.penalties._separable import Separable

SMALL = 2**14
"""Elements up to which an output is copied: in float32 64 kilobytes."""


class Together:
    """The penalty of several copies of one shape and type, read at once."""

    def __init__(self, term: Separable, waiting: Sequence[Waiting]) -> None:
        self._waiting = waiting
        self._term = term
        first = waiting[0].x
        x = torch.stack([record.x for record in waiting])
        self._sums: Tensor = MeasureRows.apply(x, term)  # type: ignore[no-untyped-call]
        self._tally = term.tally(term.frame(xp, first, None))

    def records(self) -> Iterator[tuple[Waiting, Record]]:
        """Yield each copy, and what was read of it."""
        for waiting, statistic in zip(self._waiting, self._sums.unbind(), strict=True):
            yield waiting, Record(waiting.key, statistic, self._tally)

    def penalty(self, strengths: Mapping[str, float], values: dict[str, Tensor]) -> Tensor:
        """Return the sum of the penalties, and add each, outside of the graph, into `values`."""
        constant = self._term.constant(self._tally)
        keys = [waiting.key for waiting in self._waiting]
        factors = self._sums.new_tensor([strengths[key] * constant for key in keys])
        penalties = self._sums * factors
        for key, value in zip(keys, penalties.detach().unbind(), strict=True):
            values[key] = values[key] + value if key in values else value
        return penalties.sum()


class Reader:
    """Reads copies together, those that the same penalty has of the same shape and type.

    Args:
        entries: every penalty at every site.
    """

    def __init__(self, entries: Iterable[Entry]) -> None:
        alike: dict[object, Separable] = {}
        self._terms: dict[str, Separable] = {}
        for entry in entries:
            if isinstance(entry.term, Separable):
                unit = dataclasses.replace(entry.term, strength=1.0)
                self._terms[entry.key] = alike.setdefault(unit, unit)

    def read(self, records: Iterable[AnyRecord]) -> list[Together]:
        """Return the copies among `records` read."""
        alike: dict[tuple[object, ...], list[Waiting]] = {}
        for record in records:
            if isinstance(record, Waiting):
                x = record.x
                kind = (id(self._terms[record.key]), x.shape, x.dtype, x.device)
                alike.setdefault(kind, []).append(record)
        return [Together(self._terms[waiting[0].key], waiting) for waiting in alike.values()]

    def each_read(self, records: Sequence[Record | Waiting]) -> list[Record]:
        """Return `records`, in the place of each copy what was read of it."""
        read = {
            id(waiting): record
            for together in self.read(records)
            for waiting, record in together.records()
        }
        return [record if isinstance(record, Record) else read[id(record)] for record in records]


class MeasureRows(torch.autograd.Function):
    """The statistic of each of several arrays, which lie along the first axis."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, term: Separable) -> Tensor:
        ctx.term = term
        ctx.save_for_backward(x)
        wide = x.to(torch.promote_types(x.dtype, torch.float32))
        sums: Tensor = term.element(xp, wide).reshape(len(x), -1).sum(1)
        return sums

    @staticmethod
    def backward(ctx: Any, cotangents: Tensor) -> tuple[Tensor, None]:
        (x,) = ctx.saved_tensors
        slope = ctx.term.element_slope(xp, x.to(cotangents.dtype))
        cotangents = cotangents.reshape(-1, *[1] * (x.ndim - 1))
        return (cotangents * slope).to(x.dtype), None
