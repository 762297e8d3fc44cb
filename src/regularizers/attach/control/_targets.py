"""All strengths with a target of one regularization."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from regularizers.attach.control._check_update import is_number
from regularizers.attach.control._controller import Controller, Update, controllers_of
from regularizers.attach.control._goal import Goal, Reached
from regularizers.attach.control._grouping import target_places
from regularizers.attach.control._observed import Journal
from regularizers.attach.control._saved import SavedGoal, read_saved, saved_goal
from regularizers.attach.control._step_sums import (
    LastCounts,
    StepSums,
    numbers,
    split_sums,
    sums_of,
)
from regularizers.attach.reading import Gauge, device_of
from regularizers.attach.sites import Sites, Strengths
from regularizers.errors import ConfigurationError
from regularizers.modules import Processes, describe

Values = Callable[[], Mapping[str, Tensor] | None]
"""Returns the last values of the penalties by key; None before the first."""


class Targets:
    """Measures the targets, asks their laws, and puts the strengths; a step waits for no device."""

    def __init__(
        self, model: nn.Module, sites: Sites, strengths: Strengths, processes: Processes
    ) -> None:
        self.values: Values | None = None
        """Set by the owner of this object."""
        self._model, self._sites = model, sites
        self._strengths, self._processes = strengths, processes
        self._goals: dict[object, Goal] = {}
        """By group: penalties of one group share a strength."""
        self._controllers: list[Controller] = []
        self._ordered: list[Goal] = []
        """The targets in the order of the controllers."""
        self._gauges: list[Gauge] = []
        self.of_loss: list[Goal] = []
        """The targets that measure the loss."""
        self._device: torch.device | None = None
        self._last_counts = LastCounts()
        self._journal = Journal()

    def __bool__(self) -> bool:
        return bool(self._goals)

    def add(self) -> None:
        """Add the targets of new sites."""
        new: list[Goal] = []
        known = {key for goal in self._goals.values() for key in goal.keys}
        for place in target_places(self._sites):
            goal = self._goals.get(place.group)
            if goal is None:
                goal = self._goals[place.group] = Goal(place.key, place.target, place.headroom)
                new.append(goal)
            elif place.key not in known:
                goal.keys.append(place.key)
        if new:
            self.judge(wait=True)  # steps so far have no element for new targets
            self._controllers = controllers_of(new, self._controllers)
            self._ordered = [goal for goal, *_ in self._each()]
            self._gauges = [goal.gauge for goal in self._ordered]
            self.of_loss = [goal for goal in self._ordered if goal.target.measures == "loss"]

    @property
    def keys(self) -> set[str]:
        """The keys of the penalties with a target."""
        return {key for goal in self._goals.values() for key in goal.keys}

    def gauges(self, measured: str) -> dict[str, Gauge]:
        """Return the gauges of the targets that measure `"output"` or `"weights"`, by key."""
        return {
            key: goal.gauge
            for goal in self._goals.values()
            if goal.target.measures == measured
            for key in goal.keys
        }

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
        for goal in self.of_loss:
            goal.gauge.add_amount(torch.as_tensor(loss, dtype=torch.float64).detach(), 1)

    def reached(self, step: int) -> dict[str, Reached]:
        """Return how far each strength with a target has come. It waits for the device."""
        self.judge(wait=True)
        return {
            key: goal.reached(step, self._strengths[key])
            for goal in self._goals.values()
            for key in goal.keys
        }

    def updates(self, step: int) -> list[Update]:
        """Return the updates that the laws compute for a step; nothing is applied yet.

        Raises:
            ConfigurationError: no loss was given to a target of the loss; or as the laws.
            StrengthError, StrengthTypeError: a law returned no strength.
            RegimeError: several processes are running, and it is not stated which share a batch.
        """
        if not self._goals:
            return []
        if self.of_loss:
            self._read_penalties_of_losses()
        group = self._processes.stated_group(self._ordered[0].key, "a strength with a target")
        if group is not None:
            sums = self._of_all_processes(group)
        elif all(gauge.is_empty for gauge in self._gauges):
            return []
        else:
            sums = sums_of(self._gauges, self._device_of_law(), self._last_counts)
        has_row = self._journal.sends_next
        pairs = zip(self._controllers, self._parts(sums), strict=True)
        updates = [controller.update(part, step, has_row=has_row) for controller, part in pairs]
        self._journal.add([update.fields for update in updates])
        return updates

    def take(self, updates: Sequence[Update]) -> None:
        """Apply the updates, and begin the next step."""
        for controller, update in zip(self._controllers, updates, strict=bool(updates)):
            controller.take(update)
        for goal in self._goals.values():
            goal.gauge.advance()
        self._put()

    def judge(self, *, wait: bool = False) -> None:
        """Diagnose the steps that the host has come to know, and warn.

        Raises:
            ConfigurationError, StrengthError: a step of them was wrong.
        """
        for message in self.messages(wait=wait):
            warnings.warn(message, stacklevel=4)

    def messages(self, *, wait: bool = False) -> list[str]:
        """Return the warnings of the steps that the host has come to know; raises as `judge`."""
        steps = self._journal.arrived(wait=wait)
        if not steps:
            return []
        goals = self._ordered
        last = dict(zip(goals, steps[-1], strict=True))
        for controller in self._controllers:
            controller.note([last[goal] for goal in controller.goals])
        pairs = [pair for step in steps for pair in zip(goals, step, strict=True)]
        for goal, observed in pairs:
            goal.check(observed)
        found = [(goal.key, goal.observe(observed)) for goal, observed in pairs]
        return [f"{key}: {message}" for key, message in found if message]

    def state(self) -> dict[str, Any]:
        """Return the state of all targets, as plain numbers, after `judge(wait=True)`."""
        return {
            goal.key: saved_goal(goal, controller.saved(number))
            for goal, controller, number in self._each()
        }

    def read(self, saved: Mapping[str, Any]) -> list[SavedGoal]:
        """Return what `state` returned, checked; nothing is applied yet.

        Raises:
            KeyError, TypeError, ValueError: it is none.
        """
        return [
            read_saved(saved[goal.key], controller.names) for goal, controller, _ in self._each()
        ]

    def restore(self, saved: Sequence[SavedGoal], step: int) -> None:
        """Go on from a state that `read` returned."""
        self._journal.restart(step)
        for (goal, controller, number), each in zip(self._each(), saved, strict=True):
            controller.restore(number, each.controller)
            goal.diagnosis = each.diagnosis
            goal.gauge.restore(each.gauge)
        self._put()

    def _each(self) -> Iterator[tuple[Goal, Controller, int]]:
        """Yield each target with its controller and its number there, in one order."""
        for controller in self._controllers:
            for number, goal in enumerate(controller.goals):
                yield goal, controller, number

    def _put(self) -> None:
        for controller in self._controllers:
            for goal, strength in zip(controller.goals, controller.strengths(), strict=True):
                self._strengths.put_found(goal.keys, strength)

    def _read_penalties_of_losses(self) -> None:
        """Read the values of the penalties that a target of the loss drives."""
        for goal in self.of_loss:
            if goal.gauge.is_empty:
                raise ConfigurationError(
                    f"{goal.key}: {goal.target!r} needs the loss of the task in each step: "
                    f"reg.step(loss=loss), or delivery='inject' and reg.scale_from(loss)"
                )
            if goal.gauge.is_due and self.values is not None:
                values = self.values() or {}
                goal.gauge.add_values([values[key] for key in goal.keys if key in values])

    def _parts(self, sums: StepSums) -> list[StepSums]:
        """Return the sums in parts, one for each controller."""
        if len(self._controllers) == 1:
            return [sums]
        return split_sums(sums, [len(controller.goals) for controller in self._controllers])

    def _of_all_processes(self, group: dist.ProcessGroup) -> StepSums:
        gauges, device = self._gauges, self._device_of_law()
        # every process sends all sums, since another may have measured what this one has not
        sums = torch.stack([numbers([g.sums[n] for g in gauges], device) for n in range(4)])
        dist.all_reduce(sums, group=group)
        total, number, loss, penalty = sums.unbind()
        return StepSums(total, number, loss, penalty, False, self._processes.size)

    def _device_of_law(self) -> torch.device:
        """Return the device of the model, which is looked up where the first target has moved."""
        if self._device is None or self._device != self._gauges[0].device:
            self._device = device_of(self._model)
        return self._device
