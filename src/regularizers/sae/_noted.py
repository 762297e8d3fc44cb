"""What the history needs of each batch of a step, without its code."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from regularizers.sae._autoencoder import Losses


class Noted(NamedTuple):
    """One batch of a step."""

    loss: Tensor
    active: Tensor
    """How many elements of the code are not 0."""
    error: Tensor
    target: Tensor

    @classmethod
    def of(cls, found: Losses) -> Noted:
        """Return what is needed of the losses of a batch."""
        return cls(found.loss, found.code.count_nonzero(), found.error, found.target)


def pooled(noted: Sequence[Noted]) -> tuple[float, float, float]:
    """Return the loss, the active units and the explained variance over the batches of a step."""
    error = torch.cat([one.error for one in noted])
    target = torch.cat([one.target for one in noted])
    spread = (target - target.mean(0)).square().sum()
    loss = torch.stack([one.loss for one in noted]).mean().item()
    active = sum(one.active.item() for one in noted) / len(error)
    return loss, active, 1 - (error.square().sum() / spread).item()
