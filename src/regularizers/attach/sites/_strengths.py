"""The strengths of one regularization, which may change while it is attached."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import torch
from torch import Tensor

from regularizers.attach.sites._site import Entry
from regularizers.control import QUIET, Target, at_step
from regularizers.errors import ConfigurationError, StrengthTypeError
from regularizers.penalties.strength import Schedule, Strength, as_strength, check_strength


class Strengths(Mapping[str, float]):
    """The strength of each penalty at each site, by key; strengths that are numbers can be set.

    Each is kept as a number and as a tensor; a tensor can change without recompilation.
    """

    def __init__(self, entries: Iterable[Entry]) -> None:
        self.changing: dict[str, Strength] = {}
        """The strengths that are schedules or targets, by key."""
        self._numbers: dict[str, float | None] = {}
        self._values: dict[str, Tensor] = {}
        self.version = 0
        """The number of changes so far."""
        self.add(entries)

    def add(self, entries: Iterable[Entry], step: int = 0) -> None:
        """Add strengths of new penalties; known ones keep their values."""
        for entry in entries:
            if entry.key in self._values:
                continue
            strength = as_strength(entry.term.strength)
            if isinstance(strength, Strength):
                self.changing[entry.key] = strength
            now = float(_at(strength, step, entry.key))
            self._numbers[entry.key] = now
            self._values[entry.key] = torch.tensor(now, dtype=torch.float64)

    def __getitem__(self, key: str) -> float:
        number = self._numbers[key]
        if (
            number is None
        ):  # a strength that is found lies on the device, and is read when asked for
            number = self._numbers[key] = self._values[key].item()
        return number

    def __setitem__(self, key: str, strength: float) -> None:
        if key not in self._values:
            raise ConfigurationError(
                f"strengths: expected one of {', '.join(self._values)}, got {key!r}"
            )
        if key in self.changing:
            raise ConfigurationError(
                f"strengths: {key} is {self.changing[key]!r}, whose next step would overwrite "
                f"the value; to set it by hand, give the penalty a number"
            )
        self.put({key: check_strength(strength)})

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __repr__(self) -> str:
        return f"Strengths({dict(self)})"

    def __len__(self) -> int:
        return len(self._values)

    def put(self, values: Mapping[str, float]) -> None:
        """Set several strengths, which must be checked already."""
        for key, value in values.items():
            if self._numbers[key] != value:
                self._numbers[key] = float(value)
                self._values[key].fill_(value)
                self.version += 1

    def put_found(self, keys: Iterable[str], value: Tensor) -> None:
        """Set strengths that were found, which are not read: `value` has 0 dimensions."""
        for key in keys:
            self._numbers[key], self._values[key] = None, value

    def is_found(self, key: str) -> bool:
        """Return whether the strength has a target, so it lies on the device."""
        return isinstance(self.changing.get(key), Target)

    def value(self, key: str) -> float | Tensor:
        """Return the strength: a tensor of 0 dimensions if it is found, else a number."""
        return self._values[key] if self.is_found(key) else self[key]

    def is_zero(self, key: str) -> bool:
        """Return whether a strength is known to be 0; False for one that is found."""
        return self._numbers[key] == 0

    def times(self, key: str, unit: Tensor) -> Tensor:
        """Return the penalty from `unit`, the penalty at strength 1."""
        value = self._values[key]
        return unit * (value.to(unit.dtype) if value.is_cpu else value.to(unit))


def _at(strength: float | Strength, step: int, key: str) -> float:
    """Return the strength at a step; a target has its value before the first step."""
    if isinstance(strength, Schedule):
        return at_step(strength, step, key)
    if isinstance(strength, Target):
        return QUIET
    if isinstance(strength, Strength):
        raise StrengthTypeError(
            f"{key}: expected a strength that is a number, a function of the step, a Schedule or "
            f"a target such as TargetActive(10), got {type(strength).__name__}, which has no value "
            f"at a step; derive it from rz.Schedule, and define `at`"
        )
    return strength
