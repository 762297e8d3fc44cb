"""The strengths of one regularization, which may change while it is attached."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import torch
from torch import Tensor

from regularizers.attach._sites import Entry
from regularizers.errors import ConfigurationError
from regularizers.penalties._strength import check_strength


class Strengths(Mapping[str, float]):
    """The strength of each penalty at each site, by its key; it can be set.

    They are kept as tensors, so that a change compiles nothing anew.
    """

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._values = {
            entry.key: torch.tensor(entry.term.strength, dtype=torch.float64) for entry in entries
        }
        self.version = 0
        """How often one was set."""

    def __getitem__(self, key: str) -> float:
        return self._values[key].item()

    def __setitem__(self, key: str, strength: float) -> None:
        if key not in self._values:
            raise ConfigurationError(
                f"strengths: expected one of {', '.join(self._values)}, got {key!r}"
            )
        self._values[key].fill_(check_strength(strength))
        self.version += 1

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def times(self, key: str, unit: Tensor) -> Tensor:
        """Return the penalty of the strength of `key` from that of a strength of 1."""
        return unit * self._values[key].to(unit.dtype)
