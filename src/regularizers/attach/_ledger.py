"""What the taps recorded since the last collection."""

from __future__ import annotations

import warnings
from typing import NamedTuple

from torch import Tensor


class Record(NamedTuple):
    """The penalty of one output, for a strength of 1."""

    key: str
    value: Tensor


class Ledger:
    """Records, grouped by the forward of the model they came from.

    The records of a forward count once it has ended: an exception in the middle leaves none. A
    module called outside of the model's own forward is a forward by itself.
    """

    def __init__(self, max_uncollected: int) -> None:
        self.max_uncollected = max_uncollected
        self.dropped = 0
        self._forwards: list[list[Record]] = []
        # the forwards of the model that have begun and not ended; None for one committed already
        self._running: list[list[Record] | None] = []

    def record(self, records: list[Record]) -> None:
        """Take what one tap read."""
        running = self._running[-1] if self._running else None
        if running is None:
            self._append(records)
        else:
            running.extend(records)

    def begin(self) -> None:
        """Hold what is recorded from here on."""
        self._running.append([])

    def commit(self, *, even_if_empty: bool) -> None:
        """Let what is held count; `even_if_empty`, so that a forward without records is known."""
        records = self._running[-1]
        self._running[-1] = None
        if records or even_if_empty:
            self._append(records or [])

    def end(self) -> None:
        """Forget what is still held: its forward raised."""
        self._running.pop()

    def has_forward(self) -> bool:
        """Return whether a forward ended since the last collection, with records or without."""
        return bool(self._forwards)

    def recorded(self) -> list[Record]:
        """Return the records, which stay."""
        return [record for records in self._forwards for record in records]

    def forget_dropped(self) -> int:
        """Return how many forwards were dropped, and start afresh."""
        dropped = self.dropped + len(self._forwards)
        self.dropped, self._forwards = 0, []
        return dropped

    def take(self) -> list[list[Record]]:
        """Return the forwards recorded, and hold none any more."""
        forwards, self._forwards = self._forwards, []
        return forwards

    def _append(self, records: list[Record]) -> None:
        if len(self._forwards) < self.max_uncollected:
            self._forwards.append(records)
            return
        if not self.dropped:
            warnings.warn(
                f"{self.max_uncollected} forwards were recorded and never collected, so what they "
                f"recorded is dropped from here on; collect with penalty() after each forward, "
                f"run forwards that need no penalty under torch.no_grad(), or raise "
                f"Regularization(..., max_uncollected=)",
                stacklevel=2,
            )
        # all of them, so that no graph is held that nobody asks for
        self.dropped += len(self._forwards) + 1
        self._forwards = []
