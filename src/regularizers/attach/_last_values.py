"""The last value of each penalty of one model."""

from __future__ import annotations

import torch
from torch import Tensor

from regularizers.attach._delivery import Delivery
from regularizers.attach.sites import Sites, Strengths
from regularizers.attach.step import Apply


class LastValues:
    """Returns the values of the last collection; those of weights are current.

    Args:
        delivery: holds the values of activities.
        strengths: the strength of each penalty.
        sites: the sites of the model.
    """

    def __init__(self, delivery: Delivery, strengths: Strengths, sites: Sites) -> None:
        self.applied: Apply | None = None
        """Applies the penalties of weights in the steps of an optimizer, after `attach`."""
        self._delivery, self._strengths, self._sites = delivery, strengths, sites

    @torch.no_grad()
    def __call__(self) -> dict[str, Tensor] | None:
        """Return the penalties that have a value; None before the first collection."""
        last = self._delivery.last
        if self.applied is not None and self._sites.weights:
            return (last or {}) | self.applied.values()
        return None if last is None else last | self._delivery.weights.values(self._strengths)
