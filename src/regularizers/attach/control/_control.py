"""The state of the schedules and targets of one regularization."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import nn
from torch.utils.hooks import RemovableHandle

from regularizers.attach.control._check_target import check_reachable
from regularizers.attach.control._former_keys import with_todays_keys
from regularizers.attach.control._goal import Reached
from regularizers.attach.control._loaded import Loaded
from regularizers.attach.control._targets import Targets
from regularizers.attach.sites import ActivitySite, Sites, Strengths
from regularizers.control import Target, at_step
from regularizers.errors import ConfigurationError
from regularizers.modules import Processes
from regularizers.penalties.strength import Schedule, check_strength

_MAX_WITHOUT_STEP = 100


class Control:
    """Advances all changing strengths together; if one raises, none has changed."""

    def __init__(
        self, model: nn.Module, sites: Sites, strengths: Strengths, processes: Processes
    ) -> None:
        self.steps = 0
        self.targets = Targets(model, sites, strengths, processes)
        self._loaded = Loaded(model)
        self._strengths = strengths
        self._unstepped = 0
        self._schedules: dict[str, Schedule] = {}
        self.add(sites.activities)

    def add(self, activities: Iterable[ActivitySite]) -> None:
        """Add the strengths of new sites."""
        for site in activities:
            for entry in site.entries:
                if isinstance(entry.term.strength, Target):
                    check_reachable(site, entry.term, entry.term.strength)
        for key, strength in self._strengths.changing.items():
            if isinstance(strength, Schedule):
                self._schedules.setdefault(key, strength)
        self.targets.add()

    def attach(self) -> list[RemovableHandle]:
        """Register the hook that detects loaded model states, if strengths change."""
        return self._loaded.attach() if self.changes else []

    @property
    def changes(self) -> bool:
        """Whether a strength changes."""
        return bool(self._schedules or self.targets)

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

    def reached(self) -> dict[str, Reached]:
        """Return how far each strength with a target has come. It waits for the device."""
        return self.targets.reached(self.steps)

    def advance(self) -> None:
        """Advance all strengths by one step.

        Raises:
            StrengthError, StrengthTypeError, ConfigurationError: a schedule, a law or a target
                returned a bad value; nothing has changed.
            RegimeError: several processes are running, and it is not stated which share a batch.
        """
        after = self.steps + 1
        with torch.no_grad():
            values = {key: at_step(s, after, key) for key, s in self._schedules.items()}
            updates = self.targets.updates(after)
            messages = self.targets.messages()
            self.targets.take(updates)
        self.steps, self._unstepped = after, 0
        self._strengths.put(values)
        for message in messages:
            warnings.warn(message, stacklevel=2)

    def state(self) -> dict[str, Any]:
        """Return the state of all strengths, as plain numbers. It waits for the device."""
        self.targets.judge(wait=True)
        return {
            "rules": self.rules(),
            "steps": self.steps,
            "strengths": dict(self._strengths),
            "controllers": self.targets.state(),
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
            saved = self.targets.read(state["controllers"])
        except (KeyError, TypeError, ValueError) as error:
            raise ConfigurationError(
                f"load_state_dict: expected what state_dict() returned, got a state in which "
                f"{type(error).__name__}: {error}"
            ) from None
        self.steps, self._unstepped = steps, 0
        found = self.targets.keys
        self._strengths.put({key: s for key, s in strengths.items() if key not in found})
        self.targets.restore(saved, steps)
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
