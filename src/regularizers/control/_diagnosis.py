"""The diagnosis of faults that a controller cannot mend by itself."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from regularizers.control._average import Average

_PATIENCE = 50
_SEEN = 10
_MISSED = 0.02
_NEARER = 0.01
_OPPOSED = -0.5
_AMPLITUDE = 0.05


@dataclass
class Diagnosis:
    """Observes a law after each step, and warns of each fault once."""

    measured: Average = field(default_factory=lambda: Average(10))
    scales: int = 0
    """The number of steps with a finite scale."""
    lost: int = 0
    """The number of consecutive steps whose measurement was not finite."""
    nearest: float = math.inf
    """The least distance from the target since the strength reached its bound."""
    stuck: int = 0
    """The number of steps since that distance last shrank."""
    previous: float = 0.0
    """The relative deviation from the target in the previous step."""
    together: Average = field(default_factory=lambda: Average(_PATIENCE))
    square: Average = field(default_factory=lambda: Average(_PATIENCE))
    steps: int = 0
    said: list[str] = field(default_factory=list)

    def observe(
        self, measured: float, wanted: float, scale: float, *, at_most: bool, at_least: bool
    ) -> str | None:
        """Return a warning after a step, or None.

        Args:
            measured: the measurement of the step.
            wanted: the target.
            scale: the scale of the step, as given to the law.
            at_most: whether the strength is at its upper bound.
            at_least: whether the strength is at its lower bound.
        """
        self.steps += 1
        if not math.isfinite(measured):
            self.lost += 1
            lost = self.lost >= _PATIENCE
            return self._once("not finite", _NOT_FINITE, wanted) if lost else None
        self.lost = 0
        self.measured.add(measured)
        self.scales += 0 < scale < math.inf
        if self.scales < _SEEN:
            unseen = self.steps >= _PATIENCE
            return self._once("unseen", _UNSEEN, wanted) if unseen else None
        off = self.measured.mean / wanted - 1
        above, below = at_most and off > _MISSED, at_least and off < -_MISSED
        self._wait(abs(off), at_an_end=above or below)
        deviation = measured / wanted - 1
        self.together.add(deviation * self.previous)
        self.square.add(deviation * deviation)
        self.previous = deviation
        if self.stuck >= _PATIENCE:
            what = ("at most", _AT_MOST) if above else ("at least", _AT_LEAST)
            return self._once(*what, wanted)
        if self.steps >= 2 * _PATIENCE and self._swings:
            return self._once("swings", _SWINGS, wanted)
        return None

    def _wait(self, off: float, *, at_an_end: bool) -> None:
        """Count the steps at a bound in which the distance from the target did not shrink."""
        if not at_an_end:
            self.nearest, self.stuck = math.inf, 0
        elif off < self.nearest * (1 - _NEARER):
            self.nearest, self.stuck = off, 0
        else:
            self.stuck += 1

    @property
    def _swings(self) -> bool:
        """Whether steps alternate about the target: lag-one autocorrelation < −½."""
        opposed = self.together.mean < _OPPOSED * self.square.mean
        return opposed and self.square.mean > _AMPLITUDE**2

    def _once(self, what: str, message: str, wanted: float) -> str | None:
        if what in self.said:
            return None
        self.said.append(what)
        return message.format(measured=f"{self.measured.mean:.4g}", target=f"{wanted:.4g}")


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
_NOT_FINITE = (
    "for 50 steps in a row what is measured was NaN or infinite, and the strength stands still. Is "
    "the output finite, and what the target measures of it"
)
