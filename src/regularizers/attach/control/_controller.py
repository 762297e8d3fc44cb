"""One law, and the targets whose strengths it finds."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from regularizers.attach.control._goal import Goal
from regularizers.attach.control._law_state import LawState, first_state, with_number
from regularizers.attach.control._observed import Observed
from regularizers.attach.control._step_sums import StepSums
from regularizers.control import QUIET


class Update(NamedTuple):
    """What a step changes; nothing is applied yet."""

    state: LawState
    strength: Tensor
    scale: Tensor
    fields: tuple[Tensor, ...]
    """What the step measured: the fields of `Observed`."""


class Controller:
    """Holds the state of a law as tensors on the device of the model, and never reads them.

    Targets with an elementwise law share one controller, whose tensors have an element for each.
    Any other law has a controller for each target, of 0 dimensions.
    """

    def __init__(self, goal: Goal) -> None:
        self.goals = [goal]
        self._shape: tuple[int, ...] = (1,) if goal.law.elementwise else ()
        self.strength = self._full(QUIET)
        self._state = first_state(goal, self._full(goal.target.initial), self._shape)
        self._scale = self._full(torch.nan)
        self._wanted: tuple[list[float], Tensor] = ([], self.strength)
        self.has_begun = False
        """Whether every strength is known to have begun."""
        self._has_inequality = goal.target.at_most
        self._ends = [self._full(0.0), self._full(0.0)]
        """Whether the law stood at its ends when they were last judged."""

    def takes(self, goal: Goal) -> bool:
        """Return whether a target can join those of this controller."""
        first = self.goals[0]
        return (
            goal.law.elementwise
            and goal.law == first.law
            and type(goal.target).as_falling is type(first.target).as_falling
        )

    def add(self, goal: Goal) -> None:
        """Add a target."""
        other = Controller(goal)
        self.has_begun = False
        self.goals.append(goal)
        self._shape = (len(self.goals),)
        self._has_inequality = self._has_inequality or goal.target.at_most
        self.strength = torch.cat([self.strength, other.strength.to(self.strength.device)])
        self._scale = torch.cat([self._scale, other._scale.to(self._scale.device)])
        self._ends = [self._full(0.0), self._full(0.0)]
        self._state = self._state.joined(other._state)

    @property
    def names(self) -> list[str]:
        """The names of the state of the law."""
        return list(self._state.named())

    def update(self, sums: StepSums, step: int, *, has_row: bool) -> Update:
        """Return what the law makes of the sums of a step; nothing is applied yet.

        Args:
            sums: what the targets measured in the step.
            step: the number of the step that ends.
            has_row: whether the ends of the law are judged after this step.

        Raises:
            ConfigurationError: the law returned no state.
            StrengthError, StrengthTypeError: the law returned no strength.
        """
        self._move(sums.total.device)
        goal, law = self.goals[0], self._state
        if not self._shape:
            sums = sums.part(0)
        total, count = sums.total, sums.number
        wanted, (scale, known) = self._wanted_at(step), self._scales(sums)
        # NaN is equal to nothing, and infinity is not within the bounds
        is_valid = total.clamp(0.0, _LARGEST) == total
        if not sums.all_measured:
            is_valid = is_valid & (count > 0)
        measured = total / count
        if not law.is_checked:
            measured = torch.where(is_valid, measured, wanted)
        measured, aim = goal.target.as_falling(measured, wanted)
        state, returned = law.after(measured, aim, scale, has_begun=self.has_begun)
        if has_row or self._has_inequality:
            self._ends = self._ends_of(state)
        if not law.is_checked:
            is_valid = is_valid & (returned >= 0) & (returned < torch.inf)
        strength = returned.clamp(min=QUIET)
        if self._has_inequality:
            is_off = self._inequality() & (self._ends[1] > 0) & (measured <= aim)
            strength = torch.where(is_off, QUIET, strength)
        return Update(
            state.where(is_valid, law),
            torch.where(is_valid, strength, self.strength),
            known,
            (total, count, wanted, known, returned, *self._ends),
        )

    def _scales(self, sums: StepSums) -> tuple[Tensor, Tensor]:
        """Return the scale of a step for the law, and the last one that was finite and above 0.

        Our law is given the last one too, once it has begun.
        """
        if sums.loss is None or sums.penalty is None:
            return self._scale, self._scale
        loss, penalty = sums.loss, sums.penalty
        if self.goals[0].target.measures == "loss":
            loss = (self.goals[0].gauge.headroom * sums.total / sums.number).square()
            penalty = (penalty / sums.processes).square()
        found = self.strength * (loss / penalty).sqrt()
        known = torch.where((found > 0) & (found < torch.inf), found, self._scale)
        if self.has_begun and self._state.is_checked:
            return known, known
        return torch.where(penalty == 0, self._scale, found), known

    def _ends_of(self, state: LawState) -> list[Tensor]:
        """Return whether the law stands at its ends, as numbers."""
        return [
            torch.as_tensor(end, dtype=torch.float64, device=self.strength.device).expand(
                self._shape
            )
            for end in state.ends()
        ]

    def take(self, update: Update) -> None:
        """Apply an update."""
        self._state, self.strength, self._scale = update.state, update.strength, update.scale

    def strengths(self) -> list[Tensor]:
        """Return the strength of each target, of 0 dimensions."""
        return list(self.strength.unbind()) if self._shape else [self.strength]

    def saved(self, number: int) -> dict[str, Any]:
        """Return the state of a target, as plain numbers."""
        return {
            "law": {n: float(_at(value, number)) for n, value in self._state.named().items()},
            "strength": float(_at(self.strength, number)),
            "ends": [float(_at(end, number)) for end in self._ends],
            "scale": _or(float(_at(self._scale, number)), 0.0),
        }

    def note(self, observed: Sequence[Observed]) -> None:
        """Learn from a step that the host has come to know."""
        self.has_begun = self.has_begun or all(each.returned > QUIET for each in observed)

    def restore(self, number: int, saved: Mapping[str, Any]) -> None:
        """Set the state of a target to what `saved` returned."""
        self.has_begun = False
        self._state = self._state.restored(number, saved["law"])
        self.strength = with_number(self.strength, number, saved["strength"])
        ends = zip(self._ends, saved["ends"], strict=True)
        self._ends = [with_number(end, number, known) for end, known in ends]
        self._scale = with_number(self._scale, number, saved["scale"] or torch.nan)

    def _full(self, number: float) -> Tensor:
        return torch.full(self._shape, number, dtype=torch.float64)

    def _move(self, device: torch.device) -> None:
        """Move the state to the device of the model."""
        if self.strength.device != device:
            self.strength, self._scale = self.strength.to(device), self._scale.to(device)
            self._ends = [end.to(device) for end in self._ends]
            self._state = self._state.to(device)

    def _wanted_at(self, step: int) -> Tensor:
        """Return the targets at a step; the tensor is made anew only if one has changed."""
        numbers = [goal.wanted_at(step) for goal in self.goals]
        known, tensor = self._wanted
        if known != numbers or tensor.device != self.strength.device:
            tensor = torch.tensor(numbers, dtype=torch.float64, device=self.strength.device)
            tensor = tensor.reshape(self._shape)
            self._wanted = numbers, tensor
        return tensor

    def _inequality(self) -> Tensor:
        flags = [goal.target.at_most for goal in self.goals]
        return torch.tensor(flags, device=self.strength.device).reshape(self._shape)


_LARGEST = sys.float_info.max


def controllers_of(goals: Sequence[Goal], known: Sequence[Controller]) -> list[Controller]:
    """Return `known` with the targets `goals` added."""
    controllers = list(known)
    for goal in goals:
        joined = next((each for each in controllers if each.takes(goal)), None)
        if joined is None:
            controllers.append(Controller(goal))
        else:
            joined.add(goal)
    return controllers


def _or(number: float, instead: float) -> float:
    """Return a number that a JSON file can hold."""
    return number if math.isfinite(number) else instead


def _at(value: float | Tensor, number: int) -> float | Tensor:
    return value[number] if isinstance(value, Tensor) and value.ndim else value
