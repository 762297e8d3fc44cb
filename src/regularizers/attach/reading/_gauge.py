"""Measurements of a penalty with a target, summed over the passes of one step."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from regularizers.modules import Handles

_gauges: Handles[Gauge] = Handles()

GradientSource = Literal["loss", "penalty"]


def add_gradient(
    gradient: Tensor, counted: Tensor | None, source: GradientSource, handle: int
) -> None:
    """Add the squared norm of a gradient to a gauge.

    Args:
        gradient: with respect to the output of a site.
        counted: the elements that count; None for all.
        source: the loss or the penalty, whose gradient it is.
        handle: the gauge; one that was deleted is skipped.
    """
    gauge = _gauges.find(handle)
    if gauge is not None:
        gauge.add_gradient(gradient, counted, source)


class Gauge:
    """Sums over the forwards and backward passes since the last step.

    The gradients of the loss and of the penalty are compared at the output of the site: a factor of
    the loss multiplies both there, and cancels.
    """

    def __init__(self) -> None:
        self.handle = _gauges.add(self)
        self.clear()

    def clear(self) -> None:
        """Reset all sums, as after a step."""
        self._amount: Tensor | None = None
        self._squares: dict[GradientSource, Tensor] = {}

    def add_amount(self, amount: Tensor) -> None:
        """Add the quantity that one forward measured: its total and its count."""
        amount = amount.detach()
        self._amount = amount if self._amount is None else self._amount + amount

    def add_gradient(
        self, gradient: Tensor, counted: Tensor | None, source: GradientSource
    ) -> None:
        """Add the squared norm of one gradient."""
        gradient = gradient.detach()
        if counted is not None:
            gradient = torch.where(counted, gradient, torch.zeros_like(gradient))
        square = torch.linalg.vector_norm(gradient, dtype=torch.float64).square()
        known = self._squares.get(source)
        self._squares[source] = square if known is None else known + square

    def sums(self, device: torch.device) -> Tensor:
        """Return total, count, and the squared gradient norms of loss and penalty; (4,)."""
        nothing = torch.zeros((), dtype=torch.float64, device=device)
        amount = nothing.expand(2) if self._amount is None else self._amount.to(nothing)
        squares = [self._squares.get(source, nothing).to(nothing) for source in ("loss", "penalty")]
        return torch.cat([amount, torch.stack(squares)])

    def restore(self, sums: Tensor) -> None:
        """Set the sums to what `sums` returned."""
        self.clear()
        if sums[1]:
            self._amount = sums[:2].clone()
            self._squares = {"loss": sums[2].clone(), "penalty": sums[3].clone()}
