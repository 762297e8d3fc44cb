"""Forwards that do not count."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from regularizers.attach._weights_in_loss import WeightsInLoss


class Closable(Protocol):
    """What taps write to; while it is closed they do nothing."""

    closed: bool


class Pause:
    """Closes what the taps write to: for as long as a context lasts, or for good.

    Args:
        written: what they write to.
        weights: what notes the weights of a forward.
    """

    def __init__(self, written: Closable, weights: WeightsInLoss) -> None:
        self._written, self._weights = written, weights
        self._contexts = 0
        self._is_closed = False

    @contextmanager
    def put(self) -> Iterator[None]:
        """Let the forwards in this context not count; contexts may be within each other."""
        self._put(1)
        try:
            yield
        finally:
            self._put(-1)

    def close(self) -> None:
        """Let no forward count any more, also of hooks that a compiled program holds."""
        self._is_closed = self._written.closed = True

    def _put(self, more: int) -> None:
        self._contexts += more
        paused = self._contexts > 0
        self._written.closed = self._is_closed or paused
        self._weights.pause(paused)
