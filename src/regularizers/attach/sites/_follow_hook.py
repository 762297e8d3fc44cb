"""A hook that adds modules to the sites that were added to the model since the last forward."""

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


class FollowHook(Hook):
    """A forward pre-hook of the model: new modules become sites before their first forward.

    Args:
        inventory: detects changes to the model.
        follow: a bound method that resolves the rules again; its object is not kept alive.
    """

    def __init__(self, inventory: Inventory, follow: Callable[[], None]) -> None:
        self.inventory = inventory
        self._follow = weakref.WeakMethod(follow)

    def __call__(self, model: nn.Module, inputs: tuple[Any, ...]) -> None:
        """Resolve the rules again if the model has changed."""
        if torch.compiler.is_compiling() or not is_recording(model):
            return
        if self.inventory.has_changed():
            self.follow()

    def follow(self) -> None:
        """Resolve the rules again; an error waits for the next collection."""
        follow = self._follow()
        if follow is not None:
            with suppress(RegularizersError):  # the next collection raises it again
                follow()
