"""Hooks of the model: where a forward begins and ends."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from regularizers.attach.collect._ledger import Ledger
from regularizers.attach.collect._ops import backward_id
from regularizers.attach.sites import Following
from regularizers.modules import Hook, check_untraced, is_recording


class Begin(Hook):
    """Pre-hook of the model: a forward begins, with what was added since the last."""

    def __init__(self, ledger: Ledger, following: Following) -> None:
        self._ledger = ledger
        self._following = following
        self._has_changed = following.inventory.has_changed

    def __call__(self, model: nn.Module, inputs: tuple[Any, ...]) -> None:
        """Hold what is recorded from here on until the forward has ended."""
        if is_recording(model) and not self._ledger.closed:
            compiling = torch.compiler.is_compiling()
            if not compiling:
                check_untraced("the model")
                if self._has_changed():
                    self._following.look()
            self._ledger.begin()
            if compiling:
                # asked once for all sites: the compiler cannot look into the question
                self._ledger.backward_id = backward_id(torch.zeros(()))


class Commit(Hook):
    """Hook of the model: its forward ended well."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def __call__(self, model: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        """Let its records count."""
        if is_recording(model) and not self._ledger.closed:
            self._ledger.commit()


class End(Hook):
    """Hook of the model that is always called: what was not committed has failed."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def __call__(self, model: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        """Forget the records of a forward that raised."""
        if is_recording(model) and not self._ledger.closed:
            self._ledger.end()
