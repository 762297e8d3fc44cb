"""A strength with a target, at one penalty or shared by several."""

from __future__ import annotations

import math
from typing import NamedTuple

from torch import Tensor

from regularizers.attach.control._check_update import (
    Numbers,
    as_type_of,
    check_state,
    no_strength,
)
from regularizers.attach.control._observed import Observed
from regularizers.attach.reading import Gauge
from regularizers.control import QUIET, Diagnosis, Law, Target, check_target
from regularizers.errors import ConfigurationError
from regularizers.penalties.strength import Schedule


class Reached(NamedTuple):
    """What a strength with a target has reached.

    Attributes:
        measured: the moving average of the measured quantity over 10 steps; NaN before the first.
        wanted: the target.
        unit: what both count, such as `"units active"`.
        strength: λ as it is now.
    """

    measured: float
    wanted: float
    unit: str
    strength: float

    def __str__(self) -> str:
        return (
            f"{self.measured:.4g} of {self.wanted:.4g} {self.unit}, at a strength of "
            f"{self.strength:.3g}"
        )


class Goal:
    """A target, the keys of the penalties whose strength it finds, and what is known of it."""

    def __init__(self, key: str, target: Target, headroom: float) -> None:
        self.key = key
        self.keys = [key]
        self.target = target
        self.law: Law = target.used_law
        self.gauge = Gauge(headroom)
        self.diagnosis = Diagnosis()
        wanted = getattr(target, "wanted", None)
        self._schedule = wanted if isinstance(wanted, Schedule) else None
        self._wanted = 0.0
        if self._schedule is None:
            self._wanted = check_target(wanted, f"{key}: {target!r}: wanted")
        self.where = f"{key}: {self.law!r}"

    def wanted_at(self, step: int) -> float:
        """Return the target at a step of the optimizer."""
        if self._schedule is None:
            return self._wanted
        name = f"{self.key}: {self.target!r}: wanted at step {step}"
        wanted = check_target(self._schedule.at(step), name)
        if wanted > self.target.limit:
            raise ConfigurationError(
                f"{name}: expected a number of at most {self.target.limit:g}, got {wanted:g}; mend "
                f"the schedule"
            )
        return wanted

    def first_state(self, initial: Tensor, shape: tuple[int, ...]) -> Numbers:
        """Return the state of the law before the first step."""
        state = check_state(self.law.init(initial), f"{self.where}.init", shape)
        return {name: as_type_of(value, value) for name, value in state.items()}

    def reached(self, step: int, strength: float) -> Reached:
        """Return what the target has reached."""
        measured = self.diagnosis.measured.mean
        return Reached(measured, self.wanted_at(step), self.target.unit, strength)

    def check(self, observed: Observed) -> None:
        """Raise what an observed step shows to be wrong.

        Raises:
            ConfigurationError: the target measured a negative number.
            StrengthError: the law returned no strength.
        """
        if observed.total < 0 or observed.number < 0:
            raise ConfigurationError(
                f"{self.key}: {self.target!r}.measure: expected a sum and a count that are not "
                f"negative, got {observed.total:g} and {observed.number:g} in a step"
            )
        strength = observed.returned
        if math.isfinite(observed.measured) and not (math.isfinite(strength) and strength >= 0):
            raise no_strength(f"{self.where}.update", strength)

    def observe(self, observed: Observed) -> str | None:
        """Add a step to the diagnosis; return a warning, if there is one."""
        measured, wanted = observed.measured, observed.wanted
        falling = measured / wanted
        if math.isfinite(measured) and measured:
            given, aim = self.target.as_falling(measured, wanted)
            falling = given / aim
        return self.diagnosis.observe(
            measured,
            wanted,
            observed.scale,
            ratio=falling,
            strength=max(observed.returned, QUIET),
            at_most=observed.at_most,
            at_least=observed.at_least,
            inequality=self.target.at_most,
            may_drift=self.target.measures == "output" and not self.target.at_most,
        )
