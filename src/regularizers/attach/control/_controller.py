"""The controller of one strength with a target."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from regularizers.attach.control._check_update import Numbers, as_type_of, check_state, check_update
from regularizers.attach.reading import Gauge
from regularizers.control import (
    QUIET,
    Average,
    Diagnosis,
    ProportionalIntegral,
    Target,
    check_target,
)
from regularizers.errors import ConfigurationError
from regularizers.penalties.strength import check_strength

DEFAULT = ProportionalIntegral()


class Reached(NamedTuple):
    """What a strength with a target has reached."""

    measured: float
    """The moving average of the measured quantity over 10 steps; NaN before the first."""
    wanted: float
    unit: str
    strength: float

    def __str__(self) -> str:
        return (
            f"{self.measured:.4g} of {self.wanted:.4g} {self.unit}, at a strength of "
            f"{self.strength:.3g}"
        )


class Update(NamedTuple):
    """The new state of a law after a step, and its arguments."""

    state: Numbers
    strength: float
    measured: float
    scale: float
    at_most: bool
    at_least: bool


class Restored(NamedTuple):
    """The state of a saved controller."""

    state: Numbers
    strength: float
    diagnosis: Diagnosis
    sums: Tensor


class Controller:
    """A target, the law that reaches it, and the gauge that measures it."""

    def __init__(self, key: str, target: Target) -> None:
        self.target = target
        self.law = DEFAULT if target.law is None else target.law
        self.strength = QUIET
        self.diagnosis = Diagnosis()
        self.gauge = Gauge()
        self._key = key
        self._wanted = check_target(getattr(target, "wanted", None), f"{key}: {target!r}: wanted")
        where = f"{key}: {self.law!r}"
        self._where = f"{where}.update"
        self.state = check_state(self.law.init(_scalars(target.initial)[0]), f"{where}.init")

    def reached(self) -> Reached:
        """Return what the target has reached."""
        measured = self.diagnosis.measured.mean
        return Reached(measured, self._wanted, self.target.unit, self.strength)

    def update(self, sums: Sequence[float]) -> Update | None:
        """Return the law's update for the sums of a step; None if nothing was measured.

        Raises:
            ConfigurationError: the target measured a negative sum or count, or the law returned no
                state.
            StrengthError, StrengthTypeError: the law returned no strength.
        """
        total, count, loss, penalty = sums
        if not count:
            return None
        measured = total / count
        if measured < 0 or count < 0:
            raise ConfigurationError(
                f"{self._key}: {self.target!r}.measure: expected a sum and a count that are not "
                f"negative, got {total:g} and {count:g} in a step"
            )
        scale = self.strength * math.sqrt(loss / penalty) if penalty else math.nan
        if not math.isfinite(measured):  # overflow: the law skips this step
            return Update(self.state, self.strength, measured, scale, False, False)
        given = _scalars(measured, self._wanted, scale)
        after = self.law.update(dict(self.state), *given)
        state, strength = check_update(after, self.state, self._where)
        ends = bool(self.law.at_most(state)), bool(self.law.at_least(state))
        return Update(state, max(strength, QUIET), measured, scale, *ends)

    def take(self, update: Update | None) -> str | None:
        """Apply an update and begin the next step; return a warning, if there is one."""
        self.gauge.clear()
        if update is None:
            return None
        self.state, self.strength = update.state, update.strength
        return self.diagnosis.observe(
            update.measured,
            self._wanted,
            update.scale,
            at_most=update.at_most,
            at_least=update.at_least,
        )

    def saved(self) -> dict[str, Any]:
        """Return the state of the controller, as plain numbers."""
        return {
            "law": {name: float(number) for name, number in self.state.items()},
            "strength": self.strength,
            "diagnosis": dataclasses.asdict(self.diagnosis),
            "sums": self.gauge.sums(torch.device("cpu")).tolist(),
        }

    def restored(self, saved: Mapping[str, Any]) -> Restored:
        """Return the state that `saved` holds; nothing is applied yet."""
        sums = torch.tensor(saved["sums"], dtype=torch.float64)
        if sums.shape != (4,):
            raise ValueError(f"sums: {sums.tolist()}")
        law = {name: float(number) for name, number in saved["law"].items()}
        if law.keys() != self.state.keys():
            raise ValueError(f"law: {list(law)}, and not {list(self.state)}")
        state = {name: as_type_of(law[name], number) for name, number in self.state.items()}
        strength = check_strength(saved["strength"], self._key)
        return Restored(state, strength, _diagnosis_of(saved["diagnosis"]), sums)

    def restore(self, restored: Restored) -> None:
        """Set the controller to a restored state."""
        self.state, self.strength, self.diagnosis, sums = restored
        self.gauge.restore(sums)


def _scalars(*numbers: float) -> tuple[Tensor, ...]:
    return torch.tensor(numbers, dtype=torch.float64).unbind()


def _diagnosis_of(state: Mapping[str, Any]) -> Diagnosis:
    """Return the diagnosis whose `dataclasses.asdict` is `state`."""
    fields: dict[str, Any] = {
        name: Average(**value) if isinstance(value, Mapping) else value
        for name, value in state.items()
    }
    return Diagnosis(**fields)
