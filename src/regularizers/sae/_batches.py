"""Batches for a number of steps from any data, at a position that can be saved."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sized
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from regularizers.errors import ConfigurationError, DataError
from regularizers.modules import describe
from regularizers.sae._joined import joined_world
from regularizers.sae.streams import StoredActivations


class Rows:
    """A tensor in batches of its rows, in another order in each pass.

    Args:
        x: samples, (samples, features).
        batch_size: rows of a batch, of which each process gets an equal part; what is left at the
            end of a pass is left out.
        seed: the seed of the orders.
    """

    def __init__(self, x: Tensor, batch_size: int, seed: int) -> None:
        if x.ndim != 2 or not x.is_floating_point():
            raise DataError(
                f"data: expected samples of a floating type, (samples, features), got {describe(x)}"
            )
        if not 0 < batch_size <= len(x):
            raise ConfigurationError(
                f"batch_size: expected at most the {len(x)} samples there are, got {batch_size}"
            )
        self._x, self._size, self._seed, self._epoch = x, batch_size, seed, 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of a pass."""
        self._epoch = epoch

    def __len__(self) -> int:
        return len(self._x) // self._size

    def __iter__(self) -> Iterator[Tensor]:
        generator = torch.Generator().manual_seed(self._seed * 1_000_003 + self._epoch)
        order = torch.randperm(len(self._x), generator=generator)
        joined = joined_world()  # here and not before: a training starts its processes
        part = self._size // joined.size
        for number in range(len(self)):
            start = number * self._size + joined.rank * part
            yield self._x[order[start : start + part]]


class Batches:
    """A stated number of batches, from as many passes over the data as that takes.

    Its state is the position: the pass, and the batches of it that were given. Data that has a
    state of its own (`state_dict`, `load_state_dict`) saves that instead and is not read again.

    Args:
        data: an iterable of batches, iterable again if one pass is too few.
        steps: how many batches to give.
    """

    def __init__(self, data: Iterable[Any], steps: int) -> None:
        self._data, self._steps = data, steps
        self._given = self._epoch = self._in_epoch = 0
        self._inner: dict[str, Any] | None = None

    def __len__(self) -> int:
        return self._steps

    def __iter__(self) -> Iterator[Any]:
        while self._given < self._steps:
            data = self._data
            if self._in_epoch and isinstance(data, Sized) and self._in_epoch == len(data):
                # resumed where a pass had just ended
                self._epoch, self._in_epoch, self._inner = self._epoch + 1, 0, None
            before = self._given - self._in_epoch
            for batch in self._pass():
                self._given += 1
                self._in_epoch += 1
                yield batch
                if self._given == self._steps:
                    return
            if self._given == before:
                raise DataError(
                    f"data: expected {self._steps} batches, got {self._given}, and none in pass "
                    f"{self._epoch + 1}; give data that can be iterated again, such as a list or a "
                    f"DataLoader, or fewer steps"
                )
            self._epoch, self._in_epoch = self._epoch + 1, 0

    def _pass(self) -> Iterator[Any]:
        """Yield what is left of the current pass."""
        data = self._data
        skipped = self._in_epoch
        if hasattr(data, "set_epoch"):
            data.set_epoch(self._epoch)
        if self._inner is not None and hasattr(data, "load_state_dict"):
            data.load_state_dict(self._inner)
            self._inner, skipped = None, 0
            epoch = getattr(data, "epoch", self._epoch)
            if epoch != self._epoch:  # its position was saved where a pass had just ended
                self._epoch, self._in_epoch = epoch, 0
        for number, batch in enumerate(data):
            if number >= skipped:
                yield batch

    def state_dict(self) -> dict[str, Any]:
        """Return the position."""
        inner = getattr(self._data, "state_dict", None)
        return {
            "given": self._given,
            "epoch": self._epoch,
            "in_epoch": self._in_epoch,
            "data": None if inner is None else inner(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a position."""
        self._given, self._epoch = state["given"], state["epoch"]
        self._in_epoch, self._inner = state["in_epoch"], state["data"]


def batches_of(
    data: Any, *, steps: int | None, batch_size: int, seed: int, accumulated: int = 1
) -> Batches:
    """Return a training's batches.

    Args:
        data: samples in rows, an iterable of batches, or a folder of stored activations.
        steps: how many; None: one pass over data that says its length.
        batch_size: rows of a batch, for a tensor or a folder.
        seed: the seed of the order, likewise.
        accumulated: batches of one step.

    Raises:
        ConfigurationError: no data, or steps that are neither given nor known.
    """
    if isinstance(data, Tensor):
        data = Rows(data, batch_size, seed)
    if isinstance(data, (str, Path)):
        data = StoredActivations(data, batch_size=batch_size, seed=seed)
    if not isinstance(data, Iterable):
        raise ConfigurationError(
            f"data: expected samples in the rows of a tensor, an iterable of batches, or a folder "
            f"of stored activations, got {data!r} of type {type(data).__name__}"
        )
    if steps is None:
        if not isinstance(data, Sized):
            raise ConfigurationError(
                f"steps: expected a number of steps, as a {type(data).__name__} does not say how "
                f"many batches it has, got None"
            )
        steps = len(data) // accumulated
    if type(steps) is not int or steps < 1:
        raise ConfigurationError(f"steps: expected an integer of 1 or more, got {steps!r}")
    return Batches(data, steps * accumulated)
