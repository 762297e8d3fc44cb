"""What the steps of the targets measured, brought to the host without waiting for the device."""

from __future__ import annotations

import math
from collections import deque
from typing import NamedTuple

import torch
from torch import Tensor

from regularizers.attach._host_copy import HostCopy

COPIED_EVERY = 10
"""The steps between two copies to the host."""


class Observed(NamedTuple):
    """What one step measured for one target, and what its law returned."""

    total: float
    number: float
    """The count, of which the total is divided."""
    wanted: float
    scale: float
    returned: float
    """The strength that the law returned."""
    at_most: bool
    at_least: bool

    @property
    def measured(self) -> float:
        """The measured quantity; NaN if nothing was measured."""
        return self.total / self.number if self.number else math.nan


class Journal:
    """What the steps measured that the host has not seen yet."""

    def __init__(self) -> None:
        self._steps = 0
        self._kept: list[list[tuple[Tensor, ...]]] = []
        self._copies: deque[HostCopy] = deque()

    @property
    def sends_next(self) -> bool:
        """Whether the step that is added next will be copied to the host at once."""
        return self._steps == 0 or (self._steps + 1) % COPIED_EVERY == 0

    def add(self, fields: list[tuple[Tensor, ...]]) -> None:
        """Add a step: the fields of each controller, with an element for each target."""
        sends = self.sends_next
        self._kept.append(fields)
        self._steps += 1
        if sends:
            self._send()

    def _send(self) -> None:
        parts = []
        for of_controller in zip(*self._kept, strict=True):
            fields = [field for step in of_controller for field in step]
            parts.append(torch.stack(fields).reshape(len(self._kept), len(of_controller[0]), -1))
        self._copies.append(HostCopy(parts[0] if len(parts) == 1 else torch.cat(parts, dim=2)))
        self._kept = []

    def arrived(self, *, wait: bool = False) -> list[list[Observed]]:
        """Return the steps that have arrived, each once; with `wait` all of them."""
        if wait and self._kept:
            self._send()
        steps: list[list[Observed]] = []
        while self._copies and (wait or self._copies[0].has_arrived):
            numbers = self._copies.popleft().numbers()
            steps += [[_observed(row) for row in zip(*step, strict=True)] for step in numbers]
        return steps

    def restart(self, step: int) -> None:
        """Drop all steps, and go on from one."""
        self._kept, self._copies, self._steps = [], deque(), step


def _observed(row: tuple[float, ...]) -> Observed:
    total, number, wanted, scale, returned, at_most, at_least = row
    return Observed(total, number, wanted, scale, returned, bool(at_most), bool(at_least))
