"""The state of the strengths, saved in the state dict of the optimizer that steps them."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any
from zlib import crc32

from torch.optim import Optimizer
from torch.utils.hooks import RemovableHandle

from regularizers.attach.control import Control, with_todays_keys

_KEY = "regularizers"
"""The key in the first parameter group, which `torch.save`, launchers and sharded checkpoints keep.
"""


class CarriedState:
    """Writes the state of the strengths into an optimizer's state dict, and reads it back.

    Args:
        control: the strengths and their schedules and targets.
    """

    def __init__(self, control: Control) -> None:
        self._control = control
        self._warned = False

    def attach(self, optimizer: Optimizer) -> list[RemovableHandle]:
        """Register the hooks, and restore a state that was loaded into the optimizer before."""
        self._restore(optimizer)
        return [
            optimizer.register_state_dict_post_hook(self._write),
            optimizer.register_load_state_dict_post_hook(self._read),
        ]

    @property
    def _name(self) -> str:
        """A hash of the rules, which tells several Regularizations of one optimizer apart."""
        return f"{crc32(repr(self._control.rules()).encode()):08x}"

    def _write(self, optimizer: Optimizer, state: dict[str, Any]) -> dict[str, Any]:
        groups = state.get("param_groups")
        if groups:
            groups[0][_KEY] = {**groups[0].get(_KEY, {}), self._name: self._control.state()}
        return state

    def _read(self, optimizer: Optimizer) -> None:
        if self._restore(optimizer) or self._warned:
            return
        self._warned = True
        warnings.warn(
            "the optimizer's state was restored, but it has no state of the strengths of this "
            "Regularization, which keep their current values; save reg.state_dict() beside the "
            "model's and the optimizer's, and restore it with reg.load_state_dict()",
            stacklevel=3,
        )

    def _name_in(self, states: Mapping[str, Any]) -> str:
        """Return the name of the state of these rules, which is another one under former keys."""
        rules = self._control.rules()
        same = [n for n, state in states.items() if with_todays_keys(state).get("rules") == rules]
        return next(iter(same), self._name)

    def _restore(self, optimizer: Optimizer) -> bool:
        """Go on from the state in the optimizer; return whether there is one of these rules."""
        group = next(iter(optimizer.param_groups), {})
        states = group.get(_KEY, {})
        state = states.pop(self._name_in(states), None)
        if not states:
            group.pop(_KEY, None)
        if state is None:
            return False
        # sharded checkpoints keep no empty mapping, such as that of strengths without a target
        self._control.restore({"controllers": {}, **state})
        return True
