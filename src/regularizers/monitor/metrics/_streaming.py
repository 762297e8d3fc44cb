"""A state of sums that batches, parts and processes add to."""

from __future__ import annotations

import copy
import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import reduce
from typing import Self, TypeAlias

import torch.distributed as dist
from torch import Tensor

from regularizers.errors import ConfigurationError, RegularizersError, ShapeError
from regularizers.monitor.metrics._gather import of_every_process

State: TypeAlias = dict[str, Tensor]
"""Sums and counts by name: float64 and int64, of shape () or (units,)."""


@dataclasses.dataclass(eq=False)
class Streaming(ABC):
    """A number of all samples seen since the last `reset`, which are not kept.

    The state of a batch is a pure function of it, and two states join to that of both. So one
    stream in many batches, several streams merged and several processes give the same number.
    """

    _state: State | None = dataclasses.field(default=None, init=False, repr=False)

    @abstractmethod
    def value(self) -> object:
        """Return the number; NaN before any sample. It waits for the device."""

    @abstractmethod
    def as_dict(self) -> dict[str, float]:
        """Return the numbers for a log by their names; the first is the one to look at."""

    def note(self) -> str | None:
        """Return what a person should know of it, if something is wrong."""
        return None

    def reset(self) -> None:
        """Forget all samples."""
        self._state = None

    def fresh(self) -> Self:
        """Return a metric with the same settings that has seen nothing."""
        return dataclasses.replace(self)

    def merge(self, other: Streaming) -> None:
        """Add what `other` has seen, as if its samples had come after those of this metric.

        Raises:
            ConfigurationError: another kind of metric, or other settings.
            ShapeError: another number of units.
        """
        self.check_mergeable(other)
        if other._state is not None:
            self._take(other._state)

    def check_mergeable(self, other: Streaming) -> None:
        """Raise what `merge` raises, before anything is added."""
        if type(other) is not type(self) or repr(other) != repr(self):
            raise ConfigurationError(
                f"merge: expected another {self!r}, got {other!r}, whose numbers mean something "
                f"else; make both with the same settings"
            )
        if self._state is not None and other._state is not None:
            with named(type(self).__name__):
                _check_same_units(self._state, other._state)

    def synced(self, group: dist.ProcessGroup | None = None) -> Self:
        """Return a metric of the samples of all processes, the same on each, on the CPU.

        Every process must call it. This metric stays as it is, so that the next call counts no
        sample twice. Without `torch.distributed` it is a copy.

        Args:
            group: the processes; all of them by default.

        Raises:
            ConfigurationError, ShapeError: metrics that cannot be merged, on every process.
        """
        return self.together(of_every_process(self.on_cpu(), group))

    def on_cpu(self) -> Self:
        """Return a copy whose state is on the CPU."""
        twin = self.fresh()
        if self._state is not None:
            twin._state = {name: tensor.cpu() for name, tensor in self._state.items()}
        return twin

    def together(self, parts: Sequence[Self]) -> Self:
        """Return a metric of what `parts`, which ran beside each other, have seen."""
        result = self.fresh()
        seen = [part for part in parts if part._state is not None]
        for part in parts:
            (seen[0] if seen else self).check_mergeable(part)
        if seen:
            result._state = self._beside([part._state for part in seen if part._state is not None])
        return result

    def _take(self, state: State) -> None:
        if self._state is None:
            self._state = copy.copy(state)
            return
        _check_same_units(self._state, state)
        mine = {name: t.to(state[name].device) for name, t in self._state.items()}
        self._state = self._after(mine, state)

    def _after(self, first: State, then: State) -> State:
        """Return the state of the samples of `first` followed by those of `then`."""
        return {name: first[name] + then[name] for name in first}

    def _beside(self, states: Sequence[State]) -> State:
        """Return the state of several streams that ran at the same time."""
        return reduce(self._after, states)

    def _sum(self, name: str) -> float:
        """Return one number of the state, NaN before any sample."""
        return float("nan") if self._state is None else self._state[name].item()


@contextmanager
def named(name: str) -> Iterator[None]:
    """Within it, an error of ours begins with the name of what it happened to."""
    try:
        yield
    except RegularizersError as error:
        if str(error).startswith(f"{name}: "):
            raise
        raise type(error)(f"{name}: {error}") from None


def _check_same_units(first: State, then: State) -> None:
    for name, tensor in first.items():
        if tensor.shape != then[name].shape:
            raise ShapeError(
                f"expected {tensor.numel()} units, as before, got {then[name].numel()}; a unit is "
                f"one index along all axes but the batch's, so where sequences have several "
                f"lengths say batch_axis=(0, 1), or reset() first"
            )
