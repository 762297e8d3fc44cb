"""The buffer that rows are shuffled in."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from regularizers.sae.streams._rows import Block, length_of, part_of

_MOVED_AT_ONCE = 16_384


class RowBuffer:
    """Rows that are filled in, drawn from in a given order, and moved together again.

    Memory for all of them is taken once; a draw copies the rows of one batch only.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.filled = 0
        self._rows: Block = {}
        self._order = torch.empty(0, dtype=torch.int64)
        self._given = 0
        self._end = 0

    @property
    def left(self) -> int:
        """How many rows are still to be drawn before the next filling."""
        return self._end - self._given

    def add(self, block: Block) -> Block | None:
        """Add rows as far as there is room; return those that were left over."""
        length = length_of(block)
        taken = min(length, self.capacity - self.filled)
        for name, rows in block.items():
            if name not in self._rows:
                self._rows[name] = rows.new_empty((self.capacity, rows.shape[1]))
            self._rows[name][self.filled : self.filled + taken] = rows[:taken]
        self.filled += taken
        return part_of(block, taken, length) if taken < length else None

    @property
    def block(self) -> Block:
        """The rows that are filled in; they share the memory of the buffer."""
        return part_of(self._rows, 0, self.filled)

    def begin_draws(self, order: Tensor, count: int) -> None:
        """Let the first `count` rows of `order`, a permutation of all, be drawn."""
        self._order, self._given, self._end = order, 0, count

    def draw(self, count: int) -> Block:
        """Return the next rows, `count` or what is left; after the last the others move up."""
        chosen = self._order[self._given : min(self._given + count, self._end)]
        self._given += len(chosen)
        drawn = {name: rows[chosen.to(rows.device)] for name, rows in self._rows.items()}
        if self.left == 0:
            self._keep(self._order[self._given :].sort().values)
        return drawn

    def _keep(self, kept: Tensor) -> None:
        # ascending, each row moves to the front: no row is overwritten before it has moved
        for start in range(0, len(kept), _MOVED_AT_ONCE):
            moved = kept[start : start + _MOVED_AT_ONCE]
            for rows in self._rows.values():
                rows[start : start + len(moved)] = rows[moved.to(rows.device)]
        self.filled = len(kept)
        self.begin_draws(self._order[:0], 0)

    def state_dict(self) -> dict[str, Any]:
        """Return a copy of the rows and of what is to be drawn."""
        return {
            "capacity": self.capacity,
            "rows": {name: rows.clone() for name, rows in self.block.items()},
            "order": self._order.clone(),
            "given": self._given,
            "end": self._end,
        }

    @classmethod
    def from_state(cls, state: dict[str, Any], device: torch.device | None) -> RowBuffer:
        """Return the buffer of a state."""
        buffer = cls(state["capacity"])
        if state["rows"]:
            buffer.add({name: rows.to(device) for name, rows in state["rows"].items()})
        buffer.begin_draws(state["order"].cpu().clone(), state["end"])
        buffer._given = state["given"]
        return buffer
