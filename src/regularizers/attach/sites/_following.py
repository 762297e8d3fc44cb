"""A hook of the model that lets outputs join that were added since the last forward."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import torch
from torch import nn

from regularizers.attach.sites._inventory import Inventory
from regularizers.errors import RegularizersError
from regularizers.modules import Hook, is_recording


class Following(Hook):
    """Pre-hook of the model: what was added joins before it is computed.

    Args:
        inventory: tells whether something was added.
        follow: a bound method that lets it join; its object is not kept alive.
    """

    def __init__(self, inventory: Inventory, follow: Callable[[], None]) -> None:
        self.inventory = inventory
        self._follow = weakref.WeakMethod(follow)

    def __call__(self, model: nn.Module, inputs: tuple[Any, ...]) -> None:
        """Look for what was added."""
        if torch.compiler.is_compiling() or not is_recording(model):
            return
        if self.inventory.has_changed():
            self.look()

    def look(self) -> None:
        """Let join what was added, in a forward that is recorded."""
        follow = self._follow()
        if follow is not None:
            with suppress(RegularizersError):  # which the next collection raises again
                follow()
