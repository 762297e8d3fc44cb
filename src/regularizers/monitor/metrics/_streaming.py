"""Sums that batches, parts and processes add to, and the numbers computed of them."""

from __future__ import annotations

import copy
import dataclasses
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from functools import reduce
from types import MappingProxyType
from typing import Any, ClassVar, Self, TypeAlias

import torch
import torch.distributed as dist
from torch import Tensor

from regularizers.errors import ConfigurationError, RegularizersError, ShapeError
from regularizers.modules import describe
from regularizers.monitor.metrics._block import widest
from regularizers.monitor.metrics._gather import of_every_process

Sums: TypeAlias = dict[str, Tensor]
"""Sums and counts by name: float64 and int64, of shape (), (units,) or (units, units)."""

Numbers: TypeAlias = dict[str, Any]
"""Sums of which some are Python's numbers, which a CPU adds at no cost: int and float."""


@dataclasses.dataclass(eq=False)
class Streaming(ABC):
    """A number of all samples seen since the last `reset`, which are not kept.

    The sums of a batch are a pure function of it, and two sums join to that of both. So one
    stream in many batches, several streams merged and several processes give the same number.
    """

    names: ClassVar[tuple[str, ...]] = ()
    """The numbers that `compute` returns, for a log; by default the class in snake_case."""

    _sums: Numbers | None = dataclasses.field(default=None, init=False, repr=False)

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
        """The names of its numbers: `names`, or the class in snake_case."""
        return self.names or (_snake_case(type(self).__name__),)

    @property
    def sums(self) -> Mapping[str, Tensor]:
        """The sums so far, on their device: float64 and int64. Empty before any sample."""
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
        computed = self.compute({name: _divisible(sum_) for name, sum_ in self.sums.items()})
        numbers = computed if isinstance(computed, tuple) else (computed,)
        if len(numbers) != len(names) or not all(map(_is_number, numbers)):
            raise ConfigurationError(
                f"{type(self).__name__}.compute: expected a tensor of 0 dimensions for each of "
                f"{', '.join(names)}, got {describe(computed)}"
            )
        return {name: float(x.item()) for name, x in zip(names, numbers, strict=True)}

    def reset(self) -> None:
        """Forget all samples."""
        self._sums = None

    def fresh(self) -> Self:
        """Return a metric with the same settings that has seen nothing."""
        twin = copy.copy(self)
        twin._sums = None
        return twin

    def merge(self, other: Streaming) -> None:
        """Add what `other` has seen, as if its samples had come after those of this metric.

        Raises:
            ConfigurationError: another kind of metric, or other settings.
            ShapeError: another number of units.
        """
        self.check_mergeable(other)
        if other._sums is not None:
            self.take(other._sums)

    def check_mergeable(self, other: Streaming) -> None:
        """Raise what `merge` raises, before anything is added."""
        if type(other) is not type(self) or _settings(other) != _settings(self):
            raise ConfigurationError(
                f"merge: expected another {self!r}, got {other!r}, whose numbers mean something "
                f"else; make both with the same settings"
            )
        if self._sums is not None and other._sums is not None:
            with named(type(self).__name__):
                _check_alike(self._sums, other._sums)

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
            twin._sums = {name: tensor.cpu() for name, tensor in self.sums.items()}
        return twin

    def together(self, parts: Sequence[Self]) -> Self:
        """Return a metric of what `parts`, which ran beside each other, have seen."""
        result = self.fresh()
        seen = [part for part in parts if part._sums is not None]
        for part in parts:
            (seen[0] if seen else self).check_mergeable(part)
        if seen:
            result._sums = self.join_processes([dict(part.sums) for part in seen])
        return result

    def take(self, sums: Numbers) -> None:
        """Add sums that are as wide as they are kept."""
        if self._sums is None:
            self._sums = sums
            return
        mine = self._sums
        _check_alike(mine, sums)
        self._sums = self.join(_beside(mine, sums), sums)


class named:  # noqa: N801
    """Within it, an error of ours begins with the name of what it happened to."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, RegularizersError) and not str(error).startswith(f"{self._name}: "):
            raise type(error)(f"{self._name}: {error}") from None


_KEPT = (torch.float64, torch.int64)


def widened(statistics: object) -> Sums:
    """Return sums in the types that sums are kept in.

    Raises:
        ConfigurationError: they are no dict of tensors.
    """
    if isinstance(statistics, dict):
        wide = {
            name: x if x.dtype in _KEPT else _wide(x)
            for name, x in statistics.items()
            if isinstance(x, Tensor)
        }
        if wide and len(wide) == len(statistics):
            return wide
    raise ConfigurationError(
        f"statistics: expected a dict of tensors, sums over the samples, got {describe(statistics)}"
    )


def as_tensors(numbers: Numbers) -> Sums:
    """Return numbers as tensors, on the device of those that are."""
    device = next((x.device for x in numbers.values() if isinstance(x, Tensor)), None)
    return {
        name: x
        if isinstance(x, Tensor)
        else torch.tensor(x, dtype=_KEPT[type(x) is int], device=device)
        for name, x in numbers.items()
    }


def _beside(sums: Numbers, others: Numbers) -> Numbers:
    """Return `sums` on the devices of `others`."""
    for name, x in sums.items():
        other = others[name]
        if type(x) is type(other) is Tensor and x.device != other.device:
            moved = as_tensors(sums)
            return {name: tensor.to(other.device) for name, tensor in moved.items()}
    return sums


def _wide(x: Tensor) -> Tensor:
    return x.to(widest(x.device) if x.dtype.is_floating_point else torch.int64)


def _divisible(x: Tensor) -> Tensor:
    """Return counts in float64, since PyTorch divides integers in float32."""
    if x.dtype.is_floating_point:
        return x
    return (x.cpu() if widest(x.device) != torch.float64 else x).to(torch.float64)


def _is_number(x: object) -> bool:
    return isinstance(x, Tensor) and x.ndim == 0 and not x.is_complex()


def _settings(metric: Streaming) -> dict[str, str]:
    return {name: repr(value) for name, value in vars(metric).items() if name != "_sums"}


def _snake_case(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def _check_alike(first: Numbers, then: Numbers) -> None:
    if first.keys() != then.keys():
        raise ConfigurationError(
            f"expected the sums {', '.join(first)}, as before, got {', '.join(then)}"
        )
    for name, tensor in first.items():
        other = then[name]
        # one count for all units stands beside one for each where none is masked
        if type(tensor) is type(other) is Tensor and _differ(tensor, other):
            raise ShapeError(
                f"expected {tensor.shape[-1]} units, as before, got {other.shape[-1]}; a unit is "
                f"one index along all axes but the batch's, so where sequences have several "
                f"lengths say batch_axis=(0, 1), or reset() first"
            )


def _differ(first: Tensor, then: Tensor) -> bool:
    is_one_count = first.ndim != then.ndim and first.dtype == then.dtype == torch.int64
    return first.shape != then.shape and not is_one_count
