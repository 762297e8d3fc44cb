"""Batched reads: one operation for many sites when they are collected.

Most penalties are a constant times their statistic, so one product gives all of them. Taps only
copy small outputs, which are stacked and read here: for these a call costs more than its
arithmetic. A copy is cheap, stays in the graph of its output, and nobody else can change it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from regularizers.attach.collect._ledger import AnyRecord, CopiedOutput
from regularizers.attach.reading import Record, xp
from regularizers.attach.sites import Entry
from regularizers.control import Target
from regularizers.modules import is_transformed
from regularizers.penalties import ElementwiseTerm, is_elementwise
from regularizers.penalties.arrays import one_over


class LinearStatistics:
    """Statistics whose penalties are linear in them.

    Args:
        keys: the keys of the penalties.
        statistics: one statistic a key, in one dimension.
        constants: the factor of each statistic at strength 1.
    """

    def __init__(self, keys: Sequence[str], statistics: Tensor, constants: Sequence[float]) -> None:
        self._keys, self._statistics, self._constants = keys, statistics, constants

    def penalty(self, strengths: Mapping[str, float], values: dict[str, Tensor]) -> Tensor:
        """Return the sum of the penalties, and add each, detached, to `values`."""
        factors = self._statistics.new_tensor(
            [
                strengths[key] * constant
                for key, constant in zip(self._keys, self._constants, strict=True)
            ]
        )
        penalties = self._statistics * factors
        for key, value in zip(self._keys, penalties.detach().unbind(), strict=True):
            values[key] = values[key] + value if key in values else value
        return penalties.sum()


class BatchedReader:
    """Stacks copies with equal penalty, shape and dtype, and reads each stack in one call.

    Args:
        entries: every penalty at every site.
    """

    def __init__(self, entries: Iterable[Entry]) -> None:
        alike: dict[object, ElementwiseTerm] = {}
        self._terms: dict[str, ElementwiseTerm] = {}
        for entry in entries:
            # a strength that is found lies on the device, and is multiplied there
            if is_elementwise(entry.term) and not isinstance(entry.term.strength, Target):
                unit = dataclasses.replace(entry.term, strength=1.0)
                self._terms[entry.key] = alike.setdefault(unit, unit)

    def split(self, records: Sequence[AnyRecord]) -> tuple[list[LinearStatistics], list[Record]]:
        """Return the statistics whose penalties are linear in them, and all other records."""
        linear: dict[tuple[object, ...], list[Record]] = {}
        copies: list[CopiedOutput] = []
        others: list[Record] = []
        may_stack = not is_transformed()
        for record in records:
            if isinstance(record, CopiedOutput):
                copies.append(record)
            elif isinstance(record, Record):
                if may_stack and self._is_linear(record):
                    place = (record.statistic.dtype, record.statistic.device)
                    linear.setdefault(place, []).append(record)
                else:
                    others.append(record)
        sums: list[LinearStatistics] = []
        for some, statistics in self._read(copies) if copies else ():
            factor = one_over(some[0].denominator)
            sums.append(LinearStatistics([r.key for r in some], statistics, [factor] * len(some)))
        for group in linear.values():
            constants = [one_over(record.denominator) for record in group]
            statistics = torch.stack([record.statistic for record in group])
            sums.append(LinearStatistics([record.key for record in group], statistics, constants))
        return sums, others

    def _is_linear(self, record: Record) -> bool:
        """Return whether the penalty is a constant times the statistic, a plain scalar."""
        return (
            record.key in self._terms
            and not isinstance(record.denominator, Tensor)
            and type(record.statistic) is Tensor
        )

    def _read(self, copies: Iterable[CopiedOutput]) -> Iterator[tuple[list[CopiedOutput], Tensor]]:
        """Yield the copies of each stack, and their statistics."""
        alike: dict[tuple[object, ...], list[CopiedOutput]] = {}
        for record in copies:
            x, unit_id = record.x, id(self._terms[record.key])
            signature = (unit_id, x.shape, x.dtype, x.device, record.denominator)
            alike.setdefault(signature, []).append(record)
        for some in alike.values():
            rows = torch.stack([record.x for record in some])
            unit = self._terms[some[0].key]
            yield some, ReadRows.apply(rows, unit)  # type: ignore[no-untyped-call]

    def read_copies(self, records: Sequence[Record | CopiedOutput]) -> list[Record]:
        """Return `records`; each copy is replaced by the record read from it."""
        read: dict[int, Record] = {}
        for some, statistics in self._read([r for r in records if isinstance(r, CopiedOutput)]):
            for one, statistic in zip(some, statistics.unbind(), strict=True):
                read[id(one)] = Record(one.key, statistic, one.denominator)
        return [record if isinstance(record, Record) else read[id(record)] for record in records]


class ReadRows(torch.autograd.Function):
    """The statistic of each array in a stack along the first axis."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, term: ElementwiseTerm) -> Tensor:
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
