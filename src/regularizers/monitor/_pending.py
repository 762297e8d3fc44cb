"""Reductions of several batches that are joined at once.

A batch is reduced by few large operations. To join it with all before takes many small ones, which
cost as much on a small activation, and no more for many batches together.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch

from regularizers.monitor.metrics import Reduced, Reduction, Samples

_BATCHES = 16
"""Batches that are joined at once."""

_ELEMENTS = 2**23
"""Elements of the batches that are joined at once: what waits is about a sixtieth of them."""


class _Kind(NamedTuple):
    """What the batches that are joined have in common."""

    units: int
    device: torch.device
    is_plain: bool


class Pending:
    """Reductions of batches without a mask, all of one kind.

    Args:
        reductions: what is read of each batch.
    """

    def __init__(self, reductions: Sequence[Reduction]) -> None:
        self._reductions = reductions
        self._kind: _Kind | None = None
        self._clear()

    def _clear(self) -> None:
        self._parts: list[list[Any]] = [[] for _ in self._reductions]
        self._rows = self._batches = 0

    def expect(self, samples: Samples) -> None:
        """Say of what kind the batches are: no metric has refused `samples`."""
        self._kind = _Kind(samples.units, samples.device, samples.is_plain)

    def fits(self, samples: Samples) -> bool:
        """Return whether `samples` can wait, since no metric can refuse them."""
        kind = self._kind
        return (
            kind is not None
            and samples.valid is None
            and samples.units == kind.units
            and samples.device == kind.device
            and samples.is_plain is kind.is_plain
        )

    def add(self, samples: Samples) -> None:
        """Read `samples`, which fit."""
        for waiting, parts in zip(self._parts, samples.reduced(self._reductions), strict=True):
            waiting.extend(parts)
        self._rows += samples.rows
        self._batches += 1

    @property
    def is_full(self) -> bool:
        """Whether it is time to join what waits."""
        assert self._kind is not None
        return self._batches >= _BATCHES or self._rows * self._kind.units >= _ELEMENTS

    def take(self) -> Reduced | None:
        """Return the reductions of all batches that wait, of which none waits then."""
        if not self._batches:
            return None
        assert self._kind is not None
        parts, rows = self._parts, self._rows
        self._clear()
        known = {
            reduction: reduction.joined(of_it)
            for reduction, of_it in zip(self._reductions, parts, strict=True)
        }
        return Reduced(rows, self._kind.units, self._kind.device, known=known)
