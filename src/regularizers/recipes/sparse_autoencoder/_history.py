"""The history of a training, as a few hundred points."""

from __future__ import annotations

import statistics
from dataclasses import asdict, dataclass, field
from typing import Any

POINTS = 200
"""Approximate number of points, as many as a chart can show."""


@dataclass
class History:
    """Points of one training; values are means over the updates since the previous point."""

    every: int
    """Updates from one point to the next."""

    step: list[int] = field(default_factory=list)
    """The updates done by then."""

    strength: list[float] = field(default_factory=list)
    """λ by then; 0 without a penalty."""

    active: list[float] = field(default_factory=list)
    """Units of the coding above 0, a mean over samples."""

    error: list[float] = field(default_factory=list)
    """Mean squared error."""

    dead: list[int] = field(default_factory=list)
    """Dead units by then."""

    last_strength: float = 0.0
    """λ after the last update."""

    revived: int = 0
    """How often a dead unit became active again, over the whole training."""

    said: list[str] = field(default_factory=list)
    """The warnings of the controller of the strength, without repetition."""

    since: list[tuple[float, float]] = field(default_factory=list)
    """Active units and error of the updates after the last point."""

    @classmethod
    def of(cls, steps: int) -> History:
        """Return an empty history of a training of `steps` updates."""
        return cls(every=max(steps // POINTS, 1))

    def add(self, step: int, strength: float, active: float, error: float, dead: int) -> None:
        """Add update number `step`, counted from 1."""
        self.last_strength = strength
        self.since.append((active, error))
        if step % self.every == 0:
            counts, errors = zip(*self.since, strict=True)
            self.step.append(step)
            self.strength.append(strength)
            self.active.append(statistics.fmean(counts))
            self.error.append(statistics.fmean(errors))
            self.dead.append(dead)
            self.since.clear()

    def to_json(self) -> dict[str, Any]:
        """Return everything as plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, kept: dict[str, Any]) -> History:
        """Return the history from the values of `to_json`."""
        return cls(**kept | {"since": [(active, error) for active, error in kept["since"]]})
