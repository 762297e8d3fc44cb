"""Hooks of the model at the beginning and the end of its forward."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from regularizers.attach.collect._ledger import Ledger
from regularizers.attach.collect._ops import backward_id
from regularizers.attach.sites import FollowHook
from regularizers.modules import Hook, check_untraced, is_recording


class ForwardStart(Hook):
    """Pre-hook of the model: begins a forward, and adds new modules to the sites."""

    def __init__(self, ledger: Ledger, follow_hook: FollowHook) -> None:
        self._ledger = ledger
        self._follow_hook = follow_hook
        self._has_changed = follow_hook.inventory.has_changed

    def __call__(self, model: nn.Module, inputs: tuple[Any, ...]) -> None:
        """Start a forward in the ledger."""
        if is_recording(model) and not self._ledger.closed:
            compiling = torch.compiler.is_compiling()
            if not compiling:
                check_untraced("the model")
                if self._has_changed():
                    self._follow_hook.follow()
            self._ledger.begin()
            if compiling:
                # one custom operator for all sites, since it is opaque to the compiler
                self._ledger.backward_id = backward_id(torch.zeros(()))


class ForwardCommit(Hook):
    """Hook of the model: its forward has succeeded."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def __call__(self, model: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        """Commit the records of the forward."""
        if is_recording(model) and not self._ledger.closed:
            self._ledger.commit()


class ForwardEnd(Hook):
    """Hook of the model that runs even if the forward raised."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def __call__(self, model: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        """End the forward; drop its records if it raised."""
        if is_recording(model) and not self._ledger.closed:
            self._ledger.end()
