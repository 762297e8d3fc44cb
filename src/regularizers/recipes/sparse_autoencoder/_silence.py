"""Which units have been silent for long, and which came back."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from regularizers.monitor import DeadUnits

SILENT = 1000
"""Samples on which a unit has to be silent in a row to count as dead in training."""


class Silence(nn.Module):
    """Counts for each unit the training samples since one last activated it.

    It is a module for its buffers, which move and are kept with the network's.

    Args:
        units: units of the coding.
    """

    since: Tensor
    """Samples since each unit was last active, or was given a new start."""

    died: Tensor
    """Whether each unit was found dead and has not been active since."""

    returned: Tensor
    """How often a dead unit became active again, over all units."""

    def __init__(self, units: int) -> None:
        super().__init__()
        self.register_buffer("since", torch.zeros(units, dtype=torch.int64))
        self.register_buffer("died", torch.zeros(units, dtype=torch.bool))
        self.register_buffer("returned", torch.zeros((), dtype=torch.int64))

    @property
    def dead(self) -> Tensor:
        """Which units are dead now, of shape (units,)."""
        return self.since >= SILENT

    @torch.no_grad()
    def see(self, coding: Tensor) -> None:
        """Take in the coding of the next training samples, of shape (samples, units)."""
        seen = DeadUnits()
        seen.update(coding)
        silent = seen.which()
        self.returned += (self.died & ~silent).sum()
        self.since = torch.where(silent, self.since + len(coding), seen.silent())
        self.died = (self.died & silent) | self.dead

    @torch.no_grad()
    def start_anew(self, units: Tensor) -> None:
        """Count the silence of these units, given by number, from now on."""
        self.since[units] = 0
