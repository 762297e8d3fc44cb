"""The order in which stored rows are read: shards in groups, and the rows of a group shuffled."""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from regularizers.sae.streams._settings import generator_of


class Piece(NamedTuple):
    """Rows of one shard, and where they stand among those that were asked for."""

    shard: int
    rows: Tensor
    places: Tensor


class RowOrder:
    """The order of one epoch, of which only one group of shards is known at a time.

    Args:
        lengths: the rows of each shard.
        window: a group has so many rows, or a shard fewer: as many shards as fit, at least one.
        seed: the numbers that determine the order; None: the order of the store.
    """

    def __init__(
        self, lengths: Sequence[int], window: int, seed: tuple[int, int] | None = None
    ) -> None:
        self._lengths, self._seed = lengths, seed
        shards = list(range(len(lengths)))
        if seed is not None:
            shards = torch.randperm(len(lengths), generator=generator_of(*seed)).tolist()
        self._groups: list[list[int]] = []
        rows = window
        for shard in shards:
            if rows + lengths[shard] > window:
                self._groups.append([])
                rows = 0
            self._groups[-1].append(shard)
            rows += lengths[shard]
        sizes = [sum(lengths[shard] for shard in group) for group in self._groups]
        self._starts = [0, *itertools.accumulate(sizes)]
        self._orders: dict[int, Tensor] = {}

    @property
    def largest(self) -> int:
        """The number of shards of the largest group."""
        return max(map(len, self._groups))

    def pieces(self, start: int, end: int) -> list[Piece]:
        """Return the rows from number `start` to `end` of the epoch, by shard."""
        found = []
        group = bisect.bisect_right(self._starts, start) - 1
        while self._starts[group] < end:
            low, high = max(start, self._starts[group]), min(end, self._starts[group + 1])
            found += self._pieces_of(group, low, high, low - start)
            group += 1
            if group == len(self._groups):
                break
        return found

    def _pieces_of(self, group: int, low: int, high: int, place: int) -> list[Piece]:
        first = self._starts[group]
        rows = self._order(group)[low - first : high - first]
        pieces, before = [], 0
        for shard in self._groups[group]:
            after = before + self._lengths[shard]
            here = ((rows >= before) & (rows < after)).nonzero()[:, 0]
            if len(here):
                pieces.append(Piece(shard, rows[here] - before, here + place))
            before = after
        return pieces

    def _order(self, group: int) -> Tensor:
        """Return the order of a group; that of the group before may still be needed."""
        order = self._orders.get(group)
        if order is None:
            size = self._starts[group + 1] - self._starts[group]
            if self._seed is None:
                order = torch.arange(size)
            else:
                order = torch.randperm(size, generator=generator_of(*self._seed, group))
            kept = {group - 1: self._orders[group - 1]} if group - 1 in self._orders else {}
            self._orders = {**kept, group: order}
        return order
