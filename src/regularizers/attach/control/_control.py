"""The state of the schedules and controllers of one regularization."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from regularizers.attach._processes import Processes
from regularizers.attach.control._check_target import check_reachable
from regularizers.attach.control._check_update import is_number
from regularizers.attach.control._controller import Controller, Update, controllers_of
from regularizers.attach.control._former_keys import with_todays_keys
from regularizers.attach.control._goal import Goal, Reached
from regularizers.attach.control._grouping import target_places
from regularizers.attach.control._loaded import Loaded
from regularizers.attach.control._observed import Journal
from regularizers.attach.control._saved import SavedGoal, read_saved, saved_goal
from regularizers.attach.control._step_sums import StepSums, numbers, split_sums, sums_of
from regularizers.attach.reading import Gauge, device_of
from regularizers.attach.sites import ActivitySite, Sites, Strengths
from regularizers.control import Target, at_step
from regularizers.errors import ConfigurationError
from regularizers.modules import describe
from regularizers.penalties.strength import Schedule, check_strength

_MAX_WITHOUT_STEP = 100


class Control:
    """Advances all changing strengths together; if one raises, none has changed."""

    def __init__(
        self, model: nn.Module, sites: Sites, strengths: Strengths, processes: Processes
    ) -> None:
        self.steps = 0
        self.values: Callable[[], Mapping[str, Tensor] | None] | None = None
        """Returns the last values of the penalties; set by the owner of this object."""
        self._model = model
        self._loaded = Loaded(model)
        self._strengths = strengths
        self._processes = processes
        self._unstepped = 0
        self._schedules: dict[str, Schedule] = {}
        self._sites = sites
        self._goals: dict[object, Goal] = {}
        """The targets by group: penalties of one group share a strength."""
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
        known = {key for goal in self._goals.values() for key in goal.keys}
        for place in target_places(self._sites):
            goal = self._goals.get(place.group)
            if goal is None:
                goal = self._goals[place.group] = Goal(place.key, place.target, place.headroom)
                new.append(goal)
            elif place.key not in known:
                goal.keys.append(place.key)
        if new:
            self._warn(self._judge(wait=True))  # steps so far have no element for new targets
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
        """The gauges of the targets that measure an output, by key."""
        return self._gauges_of("output")

    @property
    def weight_gauges(self) -> dict[str, Gauge]:
        """The gauges of the targets that measure weights, by key."""
        return self._gauges_of("weights")

    def _gauges_of(self, measured: str) -> dict[str, Gauge]:
        return {
            key: goal.gauge
            for goal in self._goals.values()
            if goal.target.measures == measured
            for key in goal.keys
        }

    @property
    def needs_loss(self) -> bool:
        """Whether a target measures the loss."""
        return any(goal.target.measures == "loss" for goal in self._goals.values())

    def give_loss(self, loss: Tensor | float, name: str) -> None:
        """Add the loss of one batch to the targets that measure it.

        Raises:
            ConfigurationError: it is no single real number.
        """
        if not is_number(loss):
            raise ConfigurationError(
                f"{name}: expected the loss of the task, a number or a tensor of 0 dimensions, got "
                f"{describe(loss)}"
            )
        for goal in self._goals.values():
            if goal.target.measures == "loss":
                goal.gauge.add_amount(torch.as_tensor(loss).detach(), 1)

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
        self._read_losses()
        values = {key: at_step(s, after, key) for key, s in self._schedules.items()}
        updates = self._updates(after)
        if updates:
            self._journal.add([update.fields for update in updates])
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

    def _read_losses(self) -> None:
        """Compare the loss with the values of the penalties that a target of it drives.

        Raises:
            ConfigurationError: no loss was given in this step.
        """
        for goal in self._goals.values():
            if goal.target.measures != "loss":
                continue
            if goal.gauge.is_empty:
                raise ConfigurationError(
                    f"{goal.key}: {goal.target!r} needs the loss of the task in each step: "
                    f"reg.step(loss=loss), or delivery='inject' and reg.scale_from(loss)"
                )
            if goal.gauge.is_due and self.values is not None:
                values = self.values() or {}
                goal.gauge.compare_values([values[key] for key in goal.keys if key in values])

    def _put_found(self) -> None:
        for controller in self._controllers:
            for goal, strength in zip(controller.goals, controller.strengths(), strict=True):
                self._strengths.put_found(goal.keys, strength)

    def _updates(self, step: int) -> list[Update]:
        """Return the updates that the laws compute; nothing is applied yet."""
        if not self._controllers:
            return []
        goals = [goal for controller in self._controllers for goal in controller.goals]
        if self._processes.group is None and all(goal.gauge.is_empty for goal in goals):
            self._check_stated()
            return []
        sums = self._of_all_processes([goal.gauge for goal in goals])
        if len(self._controllers) == 1:
            parts = [sums]
        else:
            sizes = [len(controller.goals) for controller in self._controllers]
            parts = split_sums(sums, sizes)
        has_row = self._journal.sends_next
        pairs = zip(self._controllers, parts, strict=True)
        return [controller.update(part, step, has_row=has_row) for controller, part in pairs]

    def _judge(self, *, wait: bool = False) -> list[str]:
        """Diagnose the steps that the host has come to know; return the warnings.

        Raises:
            ConfigurationError, StrengthError: a step of them was wrong.
        """
        steps = self._journal.arrived(wait=wait)
        goals = [goal for controller in self._controllers for goal in controller.goals]
        if steps:
            last = dict(zip(goals, steps[-1], strict=True))
            for controller in self._controllers:
                controller.note([last[goal] for goal in controller.goals])
        pairs = [pair for step in steps for pair in zip(goals, step, strict=True)]
        for goal, observed in pairs:
            goal.check(observed)
        return [
            f"{goal.key}: {message}"
            for goal, observed in pairs
            if (message := goal.observe(observed))
        ]

    def _check_stated(self) -> None:
        goal = next(iter(self._goals.values()))
        self._processes.check_stated(goal.key, "a strength with a target")

    def _of_all_processes(self, gauges: Sequence[Gauge]) -> StepSums:
        self._check_stated()
        device = device_of(self._model)
        if (group := self._processes.group) is None:
            return sums_of(gauges, device)
        # every process sends all sums, since another may have measured what this one has not
        sums = torch.stack([numbers([g.sums[n] for g in gauges], device) for n in range(4)])
        dist.all_reduce(sums, group=group)
        total, number, loss, penalty = sums.unbind()
        return StepSums(total, number, loss, penalty, all_measured=False)

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
