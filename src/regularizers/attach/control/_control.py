"""The state of the schedules and controllers of one regularization."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from regularizers.attach._processes import Processes
from regularizers.attach.control._check_target import check_reachable
from regularizers.attach.control._controller import Controller, Update, controllers_of
from regularizers.attach.control._former_keys import with_todays_keys
from regularizers.attach.control._goal import Goal, Reached
from regularizers.attach.control._loaded import Loaded
from regularizers.attach.control._observed import Journal
from regularizers.attach.control._saved import SavedGoal, read_saved, saved_goal
from regularizers.attach.reading import Gauge, device_of
from regularizers.attach.sites import ActivitySite, Sites, Strengths
from regularizers.control import Target, at_step
from regularizers.errors import ConfigurationError
from regularizers.penalties.strength import Schedule, check_strength

_MAX_WITHOUT_STEP = 100


class Control:
    """Advances all changing strengths together; if one raises, none has changed."""

    def __init__(
        self, model: nn.Module, sites: Sites, strengths: Strengths, processes: Processes
    ) -> None:
        self.steps = 0
        self._model = model
        self._loaded = Loaded(model)
        self._strengths = strengths
        self._processes = processes
        self._unstepped = 0
        self._schedules: dict[str, Schedule] = {}
        self._goals: dict[str, Goal] = {}
        """The targets, each under the key of its first penalty."""
        self._controllers: list[Controller] = []
        self._journal = Journal()
        self.add(sites.activities)

    def add(self, activities: Iterable[ActivitySite]) -> None:
        """Add the strengths of new sites."""
        for site in activities:
            for entry in site.entries:
                if isinstance(entry.term.strength, Target):
                    check_reachable(site, entry.term, entry.term.strength)
        new: list[Goal] = []
        for key, strength in self._strengths.changing.items():
            if isinstance(strength, Schedule):
                self._schedules.setdefault(key, strength)
            elif isinstance(strength, Target) and key not in self._goals:
                self._goals[key] = Goal(key, strength)
                new.append(self._goals[key])
        if new:
            self._warn(
                self._judge(wait=True)
            )  # the rows of these steps have no place for new targets
            self._controllers = controllers_of(new, self._controllers)

    def attach(self) -> list[RemovableHandle]:
        """Register the hook that detects loaded model states, if strengths change."""
        return self._loaded.attach() if self.changes else []

    @property
    def changes(self) -> bool:
        """Whether a strength changes."""
        return bool(self._schedules or self._goals)

    @property
    def gauges(self) -> dict[str, Gauge]:
        """The gauges of the penalties with a target, by key."""
        return {key: goal.gauge for goal in self._goals.values() for key in goal.keys}

    def targets(self) -> dict[str, Reached]:
        """Return how far each strength with a target has come. It waits for the device."""
        self._warn(self._judge(wait=True))
        return {
            key: goal.reached(self.steps, self._strengths[key])
            for goal in self._goals.values()
            for key in goal.keys
        }

    def used(self) -> None:
        """Count a collection; warn if no step follows."""
        if not self.changes or not torch.is_grad_enabled():
            return
        self._unstepped += 1
        if self._unstepped == _MAX_WITHOUT_STEP:
            warnings.warn(
                f"penalties were collected {_MAX_WITHOUT_STEP} times since the last step of their "
                f"strengths, which stand still; call reg.step() after each optimizer.step(), or "
                f"once reg.attach(optimizer)",
                stacklevel=3,
            )

    def begin_by_hand(self) -> None:
        """Raise if no strength changes; warn if a restored model starts at step 0.

        Raises:
            ConfigurationError: no strength changes.
        """
        if not self.changes:
            raise ConfigurationError(
                "step: every strength is a number, so there is nothing to step; a schedule such "
                "as LinearWarmup(1e-3, steps=1000), or a target such as TargetActive(10), changes"
            )
        if self.steps == 0:
            self._loaded.warn()

    @torch.no_grad()
    def advance(self) -> None:
        """Advance all strengths by one step.

        Raises:
            StrengthError, StrengthTypeError, ConfigurationError: a schedule, a law or a target
                returned a bad value; nothing has changed.
            RegimeError: several processes are running, and it is not stated which share a batch.
        """
        after = self.steps + 1
        values = {key: at_step(s, after, key) for key, s in self._schedules.items()}
        updates = self._updates(after)
        if updates:
            rows = [update.rows.reshape(-1, update.rows.shape[-1]) for update in updates]
            self._journal.add(rows[0] if len(rows) == 1 else torch.cat(rows))
        messages = self._judge()
        for controller, update in zip(self._controllers, updates, strict=bool(updates)):
            controller.take(update)
        for goal in self._goals.values():
            goal.gauge.advance()
        self.steps, self._unstepped = after, 0
        self._strengths.put(values)
        self._put_found()
        self._warn(messages)

    @staticmethod
    def _warn(messages: Iterable[str]) -> None:
        for message in messages:
            warnings.warn(message, stacklevel=4)

    def _put_found(self) -> None:
        for controller in self._controllers:
            for goal, strength in zip(controller.goals, controller.strengths(), strict=True):
                self._strengths.put_found(goal.keys, strength)

    def _updates(self, step: int) -> list[Update]:
        """Return the updates that the laws compute; nothing is applied yet."""
        if not self._controllers:
            return []
        goals = [goal for controller in self._controllers for goal in controller.goals]
        is_alone = self._processes.group is None
        if is_alone and all(goal.gauge.is_empty for goal in goals):
            self._check_stated()
            return []
        device = device_of(self._model)
        sums = self._of_all_processes(_stacked([goal.gauge.sums for goal in goals], device))
        rest, updates = sums, []
        for controller in self._controllers:
            own, rest = rest[: len(controller.goals)], rest[len(controller.goals) :]
            updates.append(
                controller.update(
                    own,
                    step,
                    has_scale=not is_alone or any(g.gauge.has_scale for g in controller.goals),
                    has_row=self._journal.sends_next,
                )
            )
        return updates

    def _judge(self, *, wait: bool = False) -> list[str]:
        """Diagnose the steps that the host has come to know; return the warnings.

        Raises:
            ConfigurationError, StrengthError: a step of them was wrong.
        """
        steps = self._journal.arrived(wait=wait)
        goals = [goal for controller in self._controllers for goal in controller.goals]
        pairs = [pair for step in steps for pair in zip(goals, step, strict=True)]
        for goal, observed in pairs:
            goal.check(observed)
        return [
            f"{goal.key}: {message}"
            for goal, observed in pairs
            if (message := goal.observe(observed))
        ]

    def _check_stated(self) -> None:
        self._processes.check_stated(next(iter(self._goals)), "a strength with a target")

    def _of_all_processes(self, sums: Tensor) -> Tensor:
        self._check_stated()
        if (group := self._processes.group) is not None:
            dist.all_reduce(sums, group=group)
        return sums

    def state(self) -> dict[str, Any]:
        """Return the state of all strengths, as plain numbers. It waits for the device."""
        self._warn(self._judge(wait=True))
        return {
            "rules": self.rules(),
            "steps": self.steps,
            "strengths": dict(self._strengths),
            "controllers": {
                goal.key: saved_goal(goal, controller.saved(number))
                for controller in self._controllers
                for number, goal in enumerate(controller.goals)
            },
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Restore the strengths from what `state` returned.

        Raises:
            ConfigurationError: the state belongs to other rules, or is no state; nothing has
                changed.
        """
        state = with_todays_keys(state)
        _check_same(self.rules(), state)
        try:
            strengths = {key: check_strength(state["strengths"][key], key) for key in self.rules()}
            steps = int(state["steps"])
            restored: list[tuple[Controller, int, SavedGoal]] = [
                (controller, number, read_saved(state["controllers"][goal.key], controller.state))
                for controller in self._controllers
                for number, goal in enumerate(controller.goals)
            ]
        except (KeyError, TypeError, ValueError) as error:
            raise ConfigurationError(
                f"load_state_dict: expected what state_dict() returned, got a state in which "
                f"{type(error).__name__}: {error}"
            ) from None
        self._journal.clear()
        for controller, number, saved in restored:
            controller.restore(number, saved.controller)
            goal = controller.goals[number]
            goal.diagnosis = saved.diagnosis
            goal.gauge.restore(saved.gauge)
        self.steps, self._unstepped = steps, 0
        found = {key for goal in self._goals.values() for key in goal.keys}
        self._strengths.put({key: s for key, s in strengths.items() if key not in found})
        self._put_found()
        self._loaded.strengths_restored()

    def rules(self) -> dict[str, str]:
        """Return the `repr` of each changing strength, and "number" for the others, by key."""
        changing = self._strengths.changing
        return {
            key: repr(changing[key]) if key in changing else "number" for key in self._strengths
        }


def _check_same(rules: Mapping[str, str], state: Mapping[str, Any]) -> None:
    saved = state.get("rules") if isinstance(state, Mapping) else None
    if not isinstance(saved, Mapping):
        raise ConfigurationError(
            f"load_state_dict: expected what state_dict() returned, got {type(state).__name__}"
        )
    for key in [*rules, *saved]:
        here, there = rules.get(key, "no such penalty"), saved.get(key, "no such penalty")
        if here != there:
            raise ConfigurationError(
                f"load_state_dict: the state is of other rules, at {key}: expected {here}, got "
                f"{there}; nothing was loaded"
            )


def _stacked(rows: Sequence[Sequence[Tensor | float]], device: torch.device) -> Tensor:
    """Return rows of numbers and 0-dimensional tensors as one tensor, without reading any."""
    flat = [each for row in rows for each in row]
    plain = [0.0 if isinstance(each, Tensor) else float(each) for each in flat]
    numbers = torch.tensor(plain, dtype=torch.float64, device=device)
    places = [place for place, each in enumerate(flat) if isinstance(each, Tensor)]
    if places:
        tensors = [each.to(numbers) for each in flat if isinstance(each, Tensor)]
        at = torch.tensor(places, device=device)
        numbers = numbers.index_copy(0, at, torch.stack(tensors))
    return numbers.reshape(len(rows), -1)
