"""What a controller cannot mend by itself, recognised from how it goes."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from regularizers.control._average import Average
from regularizers.control._law import Law

_PATIENCE = 50
_MISSED = 0.02
_NEARER = 0.01
_OPPOSED = -0.5
_AMPLITUDE = 0.05


@dataclass
class Diagnosis:
    """Looks at a law after each step, and says each thing once."""

    nearest: float = math.inf
    """The least distance from the target since the strength came to the end where it stands."""
    stuck: int = 0
    """Steps since that has come nearer."""
    previous: float = 0.0
    """How far the step before was off, relative to the target."""
    together: Average = field(default_factory=lambda: Average(_PATIENCE))
    square: Average = field(default_factory=lambda: Average(_PATIENCE))
    steps: int = 0
    said: list[str] = field(default_factory=list)

    def look(self, law: Law, measured: float) -> str | None:
        """Return what is to be said after a step in which `measured` was measured, if anything."""
        self.steps += 1
        if law.integral is None:
            return self._once("unseen", _UNSEEN, law) if self.steps >= _PATIENCE else None
        off = law.measured.mean / law.target - 1
        above, below = law.at_most and off > _MISSED, law.at_least and off < -_MISSED
        self._wait(abs(off), at_an_end=above or below)
        deviation = measured / law.target - 1
        self.together.add(deviation * self.previous)
        self.square.add(deviation * deviation)
        self.previous = deviation
        if self.stuck >= _PATIENCE:
            return self._once(*(("at most", _AT_MOST) if above else ("at least", _AT_LEAST)), law)
        if self.steps >= 2 * _PATIENCE and self._swings:
            return self._once("swings", _SWINGS, law)
        return None

    def _wait(self, off: float, *, at_an_end: bool) -> None:
        """Count the steps in which the strength stood at an end and nothing came nearer."""
        if not at_an_end:
            self.nearest, self.stuck = math.inf, 0
        elif off < self.nearest * (1 - _NEARER):
            self.nearest, self.stuck = off, 0
        else:
            self.stuck += 1

    @property
    def _swings(self) -> bool:
        """Whether a step above the target follows on one below: lag-one autocorrelation < −½."""
        opposed = self.together.mean < _OPPOSED * self.square.mean
        return opposed and self.square.mean > _AMPLITUDE**2

    def _once(self, what: str, message: str, law: Law) -> str | None:
        if what in self.said:
            return None
        self.said.append(what)
        return message.format(
            measured=f"{law.measured.mean:.4g}",
            target=f"{law.target:.4g}",
        )


_AT_MOST = (
    "the strength has stood at its upper end, where the penalty pulls as hard as the loss, for 50 "
    "steps in which nothing came nearer to the target {target}: {measured} is the nearest reached. "
    "Raise the target; or, of active units, is the output ever exactly 0, as a ReLU's is"
)
_AT_LEAST = (
    "the strength has stood at next to nothing for 50 steps in which nothing came nearer to the "
    "target {target}: {measured} is the nearest reached, without a penalty. Lower the target, or "
    "revive dead units"
)
_SWINGS = (
    "what is measured swings about the target {target} from each step to the next, since the "
    "learning rate is high: should it stay so to the end, the last step is off by as much. Anneal "
    "the rate, or average the weights"
)
_UNSEEN = (
    "for 50 steps no gradient of both the loss and the penalty has reached this site, and without "
    "it no strength is found. Is the loss a function of it, is what comes before it trained, are "
    "all its units dead, or is penalty() left out of the loss"
)
