"""What happened in a training, as a few hundred points."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

POINTS = 200
"""Approximate number of points, as many as a chart can show."""


@dataclass(repr=False)
class History:
    """Points of one training, each the reading of one step.

    Attributes:
        steps: the length of the training.
        step: the steps done by each point.
        loss: the loss without penalties, in the units of c·x, at each point, as all that follow.
        active: active units, a mean over samples.
        explained: 1 − Σ error² / Σ (x − x̄)² of the batch.
        strength: λ of the penalty; 0 without one.
        idle: units that explain next to nothing.
        revived: how many units were started anew by then.

    Example:
        >>> import regularizers as rz
        >>> history = rz.sae.History(steps=1000)
        >>> history.every
        5
        >>> history.add(5, active=31.0, explained=0.5, loss=4.0, strength=0.01, idle=3, revived=0)
        >>> history.step, history.active
        ([5], [31.0])
        >>> history
        <History of 1000 steps, 1 point; at step 5: loss 4, active 31, explained 0.5>
    """

    steps: int
    step: list[int] = field(default_factory=list)
    loss: list[float] = field(default_factory=list)
    active: list[float] = field(default_factory=list)
    explained: list[float] = field(default_factory=list)
    strength: list[float] = field(default_factory=list)
    idle: list[int] = field(default_factory=list)
    revived: list[int] = field(default_factory=list)

    @property
    def every(self) -> int:
        """Steps from one point to the next."""
        return max(self.steps // POINTS, 1)

    def is_due(self, step: int) -> bool:
        """Return whether a step is a point."""
        return step % self.every == 0 or step == self.steps

    def add(
        self,
        step: int,
        *,
        loss: float,
        active: float,
        explained: float,
        strength: float,
        idle: int,
        revived: int,
    ) -> None:
        """Add a point."""
        self.step.append(step)
        self.loss.append(loss)
        self.active.append(active)
        self.explained.append(explained)
        self.strength.append(strength)
        self.idle.append(idle)
        self.revived.append(revived)

    def __repr__(self) -> str:
        if not self.step:
            return f"<History of {self.steps} steps, no points>"
        points = f"{len(self.step)} point{'s' if len(self.step) > 1 else ''}"
        last = {"loss": self.loss, "active": self.active, "explained": self.explained}
        numbers = ", ".join(f"{name} {values[-1]:.4g}" for name, values in last.items())
        return f"<History of {self.steps} steps, {points}; at step {self.step[-1]}: {numbers}>"

    def state_dict(self) -> dict[str, Any]:
        """Return everything as plain values."""
        return asdict(self)

    @classmethod
    def from_state_dict(cls, state: dict[str, Any]) -> History:
        """Return the history from the values of `state_dict`."""
        return cls(**state)
