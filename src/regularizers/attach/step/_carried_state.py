"""Where the strengths stand, carried in the state of the optimizer that makes their steps."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any
from zlib import crc32

from torch.optim import Optimizer
from torch.utils.hooks import RemovableHandle

from regularizers.attach.control import Control, with_todays_keys

_KEY = "regularizers"
"""In the first parameter group: what survives `torch.save`, launchers and sharded checkpoints."""


class Carried:
    """Writes the state of strengths into an optimizer's state dict, and reads it back.

    Args:
        control: the strengths.
    """

    def __init__(self, control: Control) -> None:
        self._control = control
        self._warned = False

    def attach(self, optimizer: Optimizer) -> list[RemovableHandle]:
        """Put the hooks in; go on from a state that the optimizer was given before."""
        self._take(optimizer)
        return [
            optimizer.register_state_dict_post_hook(self._write),
            optimizer.register_load_state_dict_post_hook(self._read),
        ]

    @property
    def _name(self) -> str:
        """Tells apart several Regularizations of one optimizer."""
        return f"{crc32(repr(self._control.rules()).encode()):08x}"

    def _write(self, optimizer: Optimizer, state: dict[str, Any]) -> dict[str, Any]:
        groups = state.get("param_groups")
        if groups:
            groups[0][_KEY] = {**groups[0].get(_KEY, {}), self._name: self._control.state()}
        return state

    def _read(self, optimizer: Optimizer) -> None:
        if self._take(optimizer) or self._warned:
            return
        self._warned = True
        warnings.warn(
            "the optimizer's state was restored, and has nothing of the strengths of this "
            "Regularization, which go on from where they stand; save reg.state_dict() beside the "
            "model's and the optimizer's, and restore it with reg.load_state_dict()",
            stacklevel=3,
        )

    def _name_in(self, states: Mapping[str, Any]) -> str:
        """Return the name of the state of these rules, which is another one under former keys."""
        rules = self._control.rules()
        same = [n for n, state in states.items() if with_todays_keys(state).get("rules") == rules]
        return next(iter(same), self._name)

    def _take(self, optimizer: Optimizer) -> bool:
        """Go on from the state in the optimizer; return whether there is one of these rules."""
        group = next(iter(optimizer.param_groups), {})
        states = group.get(_KEY, {})
        state = states.pop(self._name_in(states), None)
        if not states:
            group.pop(_KEY, None)
        if state is None:
            return False
        self._control.restore(state)
        return True
