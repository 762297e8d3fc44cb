"""The diagnosis of faults that a controller cannot mend by itself."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field

from regularizers.control._average import Average

_PATIENCE = 50
"""The steps of a block, whose mean is one point of the trend."""
_WINDOW = 8
"""The blocks over which the trend is taken: 400 steps."""
_SEEN = 10
_MISSED = 0.03
_MET = 0.08
_FAR = 0.1
_MOST_BLOCKS = 40
"""At an end the trend is that of a third of the steps so far, up to 2000."""
_STILL = 15.0
"""It stands still if reaching the target would take this many times the steps so far."""
_LONG = 650
"""The steps after which a target that is still far is worth a word."""
_LATE, _TOO_LATE = 0.6, 8.0
"""It is worth one if reaching the target would take so many times the steps so far: a fast one
arrives by itself, and of a very slow one it is not known yet whether it arrives."""
_FAST = 1e-4
"""And if it comes nearer by this share in a step: 1% in 100 steps."""
_SLOWING = 0.6
"""It slows down if the second half of the window brings it less than this share of the first."""
_OPPOSED = -0.5
_AMPLITUDE = 0.05
_DRIFT, _DRIFT_OF_SCALE = math.log(100.0), math.log(5.0)
_LEAST_RATIO = 1e-4


@dataclass
class Block:
    """Means and counts over the steps of one block.

    Args:
        steps: the number of steps so far.
        off: the mean logarithm of measurement over target.
        strength: the mean logarithm of the strength.
        scale: the mean logarithm of the scale.
        at_most: the number of steps with the strength at its upper bound.
        at_least: the number of steps with the strength at its lower bound.

    Example:
        >>> from regularizers.control import Diagnosis
        >>> diagnosis = Diagnosis()
        >>> for _ in range(60):
        ...     message = diagnosis.observe(11.0, 10.0, 1e-3, at_most=True, at_least=False)
        >>> block = diagnosis.blocks[0]
        >>> block.steps, round(block.off, 3), block.at_most  # log(11 / 10) is 0.095
        (50, 0.095, 50)
    """

    steps: int = 0
    off: float = 0.0
    strength: float = 0.0
    scale: float = 0.0
    at_most: int = 0
    at_least: int = 0


@dataclass
class Diagnosis:
    """Observes a law after each step, and warns of each fault once.

    Args:
        measured: the average of the measurement over 10 steps.
        scales: the number of steps with a finite scale.
        lost: the number of consecutive steps whose measurement was not finite.
        wanted: the target of the last step.
        rises: whether the measurement grows with the strength.
        block: the block of the last steps, which is not full yet.
        blocks: the last full blocks with one target; a target that moves begins anew.
        met: the first block of the window over which the target was first met; None before.
        previous: the relative deviation from the target in the previous step.
        together: the average product of the deviations of successive steps.
        square: the average square of the deviation.
        steps: the number of steps observed.
        said: the faults that were warned of.

    Example:
        >>> from regularizers.control import Diagnosis
        >>> diagnosis = Diagnosis()
        >>> for _ in range(500):  # 20 active units, and no strength brings them to 10
        ...     message = diagnosis.observe(20.0, 10.0, 1e-3, at_most=True, at_least=False)
        ...     if message:
        ...         print(message.partition(",")[0])
        the strength has stood at its upper end
    """

    measured: Average = field(default_factory=lambda: Average(10))
    scales: int = 0
    lost: int = 0
    wanted: float = 0.0
    rises: bool = False
    block: Block = field(default_factory=Block)
    blocks: list[Block] = field(default_factory=list)
    met: Block | None = None
    previous: float = 0.0
    together: Average = field(default_factory=lambda: Average(_PATIENCE))
    square: Average = field(default_factory=lambda: Average(_PATIENCE))
    steps: int = 0
    said: list[str] = field(default_factory=list)

    def observe(
        self,
        measured: float,
        wanted: float,
        scale: float,
        *,
        ratio: float | None = None,
        strength: float = 1.0,
        at_most: bool,
        at_least: bool,
        inequality: bool = False,
        may_drift: bool = True,
    ) -> str | None:
        """Return a warning after a step, or None.

        Args:
            measured: the measurement of the step.
            wanted: the target.
            scale: the scale of the step, as given to the law.
            ratio: measurement over target, of numbers that fall as the strength grows; by default
                of the two themselves.
            strength: the strength that the law returned.
            at_most: whether the strength is at its upper bound.
            at_least: whether the strength is at its lower bound.
            inequality: whether anything below the target is right.
            may_drift: whether the strength should stay where it is once the target is met.
        """
        self.steps += 1
        if not math.isfinite(measured):
            self.lost += 1
            lost = self.lost >= _PATIENCE
            return self._once("not finite", _NOT_FINITE) if lost else None
        self.lost = 0
        self.measured.add(measured)
        self.scales += 0 < scale < math.inf
        if wanted != self.wanted:
            self.wanted, self.block, self.blocks, self.met = wanted, Block(), [], None
        if self.scales < _SEEN:
            return self._once("unseen", _UNSEEN) if self.steps >= _PATIENCE else None
        rises = ratio is not None and (ratio - 1) * (measured - wanted) < 0
        self.rises = rises if ratio != 1 else self.rises
        ratio = measured / wanted if ratio is None else ratio
        deviation = ratio - 1
        self.together.add(deviation * self.previous)
        self.square.add(deviation * deviation)
        self.previous = deviation
        if self.steps >= 2 * _PATIENCE and self._swings and not inequality:
            return self._once("swings", _SWINGS)
        off = math.log(max(ratio, _LEAST_RATIO))
        block = self.block
        block.steps += 1
        block.off += (max(off, 0.0) if inequality else off) / _PATIENCE
        block.strength += math.log(strength) / _PATIENCE
        block.scale += math.log(scale) / _PATIENCE if 0 < scale < math.inf else 0.0
        block.at_most += at_most
        block.at_least += at_least
        if block.steps < _PATIENCE:
            return None
        self.blocks, self.block = [*self.blocks[1 - _MOST_BLOCKS :], block], Block()
        return self._trend(may_drift=may_drift) if len(self.blocks) >= _WINDOW else None

    def _trend(self, *, may_drift: bool) -> str | None:
        """Judge the last blocks."""
        window = self.blocks[-_WINDOW:]
        offs = [block.off for block in window]
        if abs(statistics.fmean(offs)) < _MET and max(map(abs, offs)) < 2 * _MET:
            return self._drift(window) if may_drift else None
        third = self.blocks[-max(_WINDOW, self.steps // (3 * _PATIENCE)) :]
        off = offs[-1]
        if self._needed(third) > _STILL * self.steps:
            if off > _MISSED and all(block.at_most == _PATIENCE for block in third):
                return self._once("at most", _AT_MOST)
            if off < -_MISSED and all(block.at_least == _PATIENCE for block in third):
                return self._once("at least", _AT_LEAST)
        needed = self._needed(window)
        if self._is_worth_a_word(window, needed):
            rate = 1 - math.exp(-100 * abs(off) / needed)
            message = _STILL_FAR if off > 0 else _BY_ITSELF
            return self._once("still far", message, rate=100 * rate, needed=round(needed, -2))
        return None

    def _needed(self, window: Sequence[Block]) -> float:
        """Return how many steps the target would take at the rate of a window."""
        nearer = -_slope([abs(block.off) for block in window]) / _PATIENCE
        return abs(window[-1].off) / nearer if nearer > 0 else math.inf

    def _is_worth_a_word(self, window: Sequence[Block], needed: float) -> bool:
        """Return whether a target that comes nearer is far enough to say so."""
        off = window[-1].off
        if self.steps < _LONG or abs(off) < _FAR or abs(off) < _FAST * needed:
            return False
        if off < 0 and any(block.at_least < _PATIENCE for block in window):
            return False  # it comes nearer because the strength falls, which will end
        half = _WINDOW // 2
        before, after = [
            _slope([abs(block.off) for block in part]) for part in (window[:half], window[half:])
        ]
        if after > _SLOWING * before:
            return False  # it slows down, and may stop on the way
        return _LATE < needed / self.steps < _TOO_LATE

    def _drift(self, window: Sequence[Block]) -> str | None:
        """Judge the strength of a target that is met."""
        now = window[-1]
        if self.met is None:
            self.met = window[0]
        change = now.strength - self.met.strength
        if abs(change) < _DRIFT or abs(now.scale - self.met.scale) < _DRIFT_OF_SCALE:
            return None
        return self._once("drifts", _DRIFTS, factor=math.exp(change))

    @property
    def _swings(self) -> bool:
        """Whether steps alternate about the target: lag-one autocorrelation < −½."""
        opposed = self.together.mean < _OPPOSED * self.square.mean
        return opposed and self.square.mean > _AMPLITUDE**2

    def _once(self, what: str, message: str, **numbers: float) -> str | None:
        if what in self.said:
            return None
        self.said.append(what)
        known = {
            "measured": self.measured.mean,
            "target": self.wanted,
            "steps": self.steps,
            **numbers,
        }
        raise_, lower = ("Lower", "Raise") if self.rises else ("Raise", "Lower")
        below = "above" if self.rises else "below"
        texts = {name: f"{number:.4g}" for name, number in known.items()}
        return message.format(
            raise_=raise_, lower=lower, lower_=lower.lower(), below=below, **texts
        )


def _slope(points: Sequence[float]) -> float:
    """Return the slope of the line through points one apart."""
    return statistics.linear_regression(range(len(points)), points).slope


_AT_MOST = (
    "the strength has stood at its upper end, where the penalty pulls as hard as the loss, for 400 "
    "steps in which nothing came nearer to the target {target}: {measured} is the nearest reached. "
    "{raise_} the target; or, of active units, is the output ever exactly 0, as a ReLU's is"
)
_AT_LEAST = (
    "the strength has stood at next to nothing for 400 steps in which nothing came nearer to the "
    "target {target}: {measured} is the nearest reached, without a penalty. {lower} the target, "
    "make it a bound by at_most=True, or revive dead units"
)
_STILL_FAR = (
    "after {steps} steps {measured} is measured, and {target} is the target. It comes nearer by "
    "{rate} % in 100 steps; at this rate it takes {needed} steps more or longer. Train longer, "
    "with a higher learning rate, or with fewer units"
)
_BY_ITSELF = (
    "after {steps} steps {measured} is measured, and {target} is the target. The strength has "
    "stood at next to nothing for 400 steps: it is {below} the target by itself. Make the target "
    "a bound by at_most=True, or {lower_} it. Without a penalty it comes nearer by {rate} % in 100 "
    "steps; at this rate it takes {needed} steps more or longer"
)
_DRIFTS = (
    "the target {target} is met, and since then the strength has changed by a factor of {factor}, "
    "orders of magnitude. Does what follows the site grow, so that small activations do the same? "
    "Then hold its weights, by a penalty or a norm of 1; or does the loss go to 0"
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
