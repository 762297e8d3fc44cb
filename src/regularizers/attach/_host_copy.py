"""Numbers of a device, copied to the host without waiting for the device."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class HostCopy:
    """An asynchronous copy of a small tensor; on a CPU it has arrived at once."""

    def __init__(self, x: Tensor) -> None:
        self._copy = x
        self._arrived: torch.Event | None = None
        if not x.is_cpu:
            self._copy = torch.empty(x.shape, dtype=x.dtype, pin_memory=True)
            self._copy.copy_(x, non_blocking=True)
            self._arrived = torch.Event(x.device)
            self._arrived.record()

    @property
    def has_arrived(self) -> bool:
        """Whether the numbers can be read without waiting."""
        return self._arrived is None or self._arrived.query()

    def numbers(self) -> Any:
        """Return the numbers as nested lists; it waits for a copy that has not arrived."""
        if self._arrived is not None:
            self._arrived.synchronize()
        return self._copy.tolist()
