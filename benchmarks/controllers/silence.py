"""Tracks which units have been silent for long, and which became active again."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from regularizers.monitor import DeadUnits

SILENT = 1000
"""Successive samples without activity after which a unit counts as dead in training."""


class Silence(nn.Module):
    """Counts for each unit the training samples since one last activated it.

    It is a module so that its buffers move and are saved with the network's.

    Args:
        units: the number of units in the coding.
    """

    since: Tensor
    """Samples since each unit was last active or re-initialised."""

    died: Tensor
    """Whether each unit has died and has not been active since."""

    returned: Tensor
    """The number of times that a dead unit became active again."""

    def __init__(self, units: int) -> None:
        super().__init__()
        self.register_buffer("since", torch.zeros(units, dtype=torch.int64))
        self.register_buffer("died", torch.zeros(units, dtype=torch.bool))
        self.register_buffer("returned", torch.zeros((), dtype=torch.int64))

    @property
    def dead(self) -> Tensor:
        """A boolean mask of the dead units, of shape (units,)."""
        return self.since >= SILENT

    @torch.no_grad()
    def update(self, coding: Tensor) -> None:
        """Update the counts with the coding of the next samples, of shape (samples, units)."""
        seen = DeadUnits()
        seen.update(coding)
        silent = seen.which()
        self.returned += (self.died & ~silent).sum()
        self.since = torch.where(silent, self.since + len(coding), seen.silent())
        self.died = (self.died & silent) | self.dead

    @torch.no_grad()
    def reset(self, units: Tensor) -> None:
        """Restart the counts of the units with these indices."""
        self.since[units] = 0
