"""A stream of synthetic samples that is the same each time."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from regularizers.errors import ConfigurationError


class SyntheticBatches:
    """Batches of synthetic samples, made when they are asked for: `len`, `[index]`, iteration.

    Each batch depends on the seed and its index alone, so a run may resume at any of them.
    """

    def __init__(
        self, draw: Callable[[int, torch.Generator], Tensor], size: int, number: int, seed: int
    ) -> None:
        for name, value in (("size", size), ("number", number)):
            if type(value) is not int or value < 1:
                raise ConfigurationError(f"{name}: expected an integer, 1 or more, got {value!r}")
        if type(seed) is not int:
            raise ConfigurationError(f"seed: expected an integer, got {seed!r}")
        self._draw = draw
        self.size = size
        self.number = number
        self.seed = seed
        self._first = mixed(seed)

    def __len__(self) -> int:
        return self.number

    def __getitem__(self, index: int) -> Tensor:
        if not -self.number <= index < self.number:
            raise IndexError(f"batch {index} of {self.number}")
        return self._draw(self.size, generator_at(self._first + index % self.number))

    def __iter__(self) -> Iterator[Tensor]:
        for index in range(self.number):
            yield self[index]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.number} of {self.size}, seed={self.seed})"


def mixed(seed: int, purpose: str = "batches") -> int:
    """Return 32 bits of a seed, far apart for near seeds and for each purpose of a seed.

    Source: Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014.
    """
    word = (len(_PURPOSES) * seed + _PURPOSES.index(purpose) + 0x9E3779B97F4A7C15) & _WORD
    word = ((word ^ (word >> 30)) * 0xBF58476D1CE4E5B9) & _WORD
    word = ((word ^ (word >> 27)) * 0x94D049BB133111EB) & _WORD
    return (word ^ (word >> 31)) & _SEED


_PURPOSES = "batches", "dictionary", "factors"

_WORD = 2**64 - 1

_SEED = 2**32 - 1
"""PyTorch's generator on a CPU reads no more bits of a seed."""


def generator_at(seed: int) -> torch.Generator:
    """Return a new generator on the CPU."""
    return torch.Generator().manual_seed(seed & _SEED)
