"""Sums that batches, parts and processes add to, and the numbers computed of them."""

from __future__ import annotations

import copy
import dataclasses
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from types import MappingProxyType
from typing import ClassVar, Self

import torch.distributed as dist
from torch import Tensor

from regularizers.errors import ConfigurationError
from regularizers.modules import describe
from regularizers.monitor.metrics._gather import of_every_process
from regularizers.monitor.metrics._sums import (
    Numbers,
    Sums,
    as_tensors,
    beside,
    check_alike,
    divisible,
    named,
)


@dataclasses.dataclass(eq=False)
class Streaming(ABC):
    """A number of all samples seen since the last `reset`, which are not kept.

    The sums of a batch are a pure function of it, and two sums join to that of both. So one
    stream in many batches, several streams merged and several processes give the same number.
    """

    names: ClassVar[tuple[str, ...]] = ()
    """The numbers that `compute` returns, for a log; by default the class in snake_case."""

    _joined: Numbers | None = dataclasses.field(default=None, init=False, repr=False)
    _waiting: Callable[[], None] | None = dataclasses.field(default=None, init=False, repr=False)

    @property
    def _sums(self) -> Numbers | None:
        if self._waiting is not None:
            self._waiting()
        return self._joined

    def joins_first(self, waiting: Callable[[], None]) -> None:
        """Call `waiting` before the sums are used: it takes what was read and is yet to be joined.

        It must do nothing where it is called within itself.
        """
        self._waiting = waiting

    @abstractmethod
    def compute(self, sums: Sums) -> Tensor | tuple[Tensor, ...]:
        """Return the number of some samples from their sums; several in the order of `names`.

        It is asked only once there was a sample, and does not wait for the device.

        Args:
            sums: by name as in `statistics`; integers as float64, so that they divide exactly.

        Returns:
            A tensor of 0 dimensions for each of `names`.
        """

    def join(self, first: Sums, then: Sums) -> Sums:
        """Return the sums of the samples of `first` followed by those of `then`: added by default.

        It is for what does not add up, such as a maximum or a mean.
        """
        return {name: first[name] + then[name] for name in first}

    def join_processes(self, parts: Sequence[Sums]) -> Sums:
        """Return the sums of processes that ran at the same time: joined in turn by default."""
        return reduce(self.join, parts)

    def note(self) -> str | None:
        """Return what a person should know of it, if something is wrong; a report shows it."""
        return None

    @property
    def number_names(self) -> tuple[str, ...]:
        """The names of its numbers, which are `names` or the class in snake_case."""
        return self.names or (_snake_case(type(self).__name__),)

    @property
    def sums(self) -> Mapping[str, Tensor]:
        """The sums so far, on their device, in float64 and int64. Empty before any sample."""
        return MappingProxyType(as_tensors(self._sums or {}))

    def value(self) -> float:
        """Return the first number; NaN before any sample. It waits for the device."""
        return next(iter(self.as_dict().values()))

    def as_dict(self) -> dict[str, float]:
        """Return the numbers for a log by their names; the first is the one to look at.

        Raises:
            ConfigurationError: `compute` returned something else than a number for each name.
        """
        names = self.number_names
        if self._sums is None:
            return dict.fromkeys(names, float("nan"))
        computed = self.compute({name: divisible(sum_) for name, sum_ in self.sums.items()})
        numbers = computed if isinstance(computed, tuple) else (computed,)
        if len(numbers) != len(names) or not all(map(_is_number, numbers)):
            raise ConfigurationError(
                f"{type(self).__name__}.compute: expected a tensor of 0 dimensions for each of "
                f"{', '.join(names)}, got {describe(computed)}"
            )
        return {name: float(x.item()) for name, x in zip(names, numbers, strict=True)}

    def reset(self) -> None:
        """Forget all samples."""
        if self._sums is not None:  # what waits is joined first, and forgotten with the rest
            self._joined = None

    def fresh(self) -> Self:
        """Return a metric with the same settings that has seen nothing."""
        twin = copy.copy(self)
        twin._joined = twin._waiting = None
        return twin

    def merge(self, other: Streaming) -> None:
        """Add what `other` has seen, as if its samples had come after those of this metric.

        Raises:
            ConfigurationError: another kind of metric, or other settings.
            ShapeError: another number of units.
        """
        self.check_mergeable(other)
        sums = other._sums
        if sums is not None:
            self.take(sums)

    def check_mergeable(self, other: Streaming) -> None:
        """Raise what `merge` raises, before anything is added."""
        if type(other) is not type(self) or _settings(other) != _settings(self):
            raise ConfigurationError(
                f"merge: expected another {self!r}, got {other!r}, whose numbers mean something "
                f"else; make both with the same settings"
            )
        mine, its = self._sums, other._sums
        if mine is not None and its is not None:
            with named(type(self).__name__):
                check_alike(mine, its)

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
        """Return a copy whose sums are on the CPU."""
        twin = self.fresh()
        if self._sums is not None:
            twin._joined = {name: tensor.cpu() for name, tensor in self.sums.items()}
        return twin

    def together(self, parts: Sequence[Self]) -> Self:
        """Return a metric of what `parts`, which ran beside each other, have seen."""
        result = self.fresh()
        seen = [part for part in parts if part._sums is not None]
        for part in parts:
            (seen[0] if seen else self).check_mergeable(part)
        if seen:
            result._joined = self.join_processes([dict(part.sums) for part in seen])
        return result

    def take(self, sums: Numbers) -> None:
        """Add sums that are as wide as they are kept."""
        mine = self._sums
        if mine is None:
            self._joined = sums
            return
        check_alike(mine, sums)
        self._joined = self.join(beside(mine, sums), sums)


def _is_number(x: object) -> bool:
    return isinstance(x, Tensor) and x.ndim == 0 and not x.is_complex()


def _settings(metric: Streaming) -> dict[str, str]:
    return {name: repr(value) for name, value in vars(metric).items() if name not in _STATE}


_STATE = "_joined", "_waiting"


def _snake_case(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
