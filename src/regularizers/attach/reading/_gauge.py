"""What the forwards and the backward passes of one step say of a penalty that has a target."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from regularizers.modules import Handles

_gauges: Handles[Gauge] = Handles()

Pull = Literal["loss", "penalty"]


def note(gradient: Tensor, counted: Tensor | None, pull: Pull, handle: int) -> None:
    """Note with how strong a gradient the loss or the penalty pulls at the output of a site.

    Args:
        gradient: that reached the output.
        counted: at which elements it counts; None for all.
        pull: whose gradient it is.
        handle: of the gauge; what has ended since notes nothing.
    """
    gauge = _gauges.find(handle)
    if gauge is not None:
        gauge.note(gradient, counted, pull)


class Gauge:
    """Sums over the forwards and backward passes since the last step.

    How strongly the two gradients pull is compared where both arrive, at the output: by whatever
    the loss is multiplied on the way there, both are.
    """

    def __init__(self) -> None:
        self.handle = _gauges.add(self)
        self.clear()

    def clear(self) -> None:
        """Know nothing, as after a step."""
        self._amount: Tensor | None = None
        self._squares: dict[Pull, Tensor] = {}

    def measured(self, amount: Tensor) -> None:
        """Add the quantity of one forward: its total and its count."""
        amount = amount.detach()
        self._amount = amount if self._amount is None else self._amount + amount

    def note(self, gradient: Tensor, counted: Tensor | None, pull: Pull) -> None:
        """Add the square of one gradient's norm."""
        gradient = gradient.detach()
        if counted is not None:
            gradient = torch.where(counted, gradient, torch.zeros_like(gradient))
        square = torch.linalg.vector_norm(gradient, dtype=torch.float64).square()
        known = self._squares.get(pull)
        self._squares[pull] = square if known is None else known + square

    def sums(self, device: torch.device) -> Tensor:
        """Return total, count, and the squares of the loss's and the penalty's pull; (4,)."""
        nothing = torch.zeros((), dtype=torch.float64, device=device)
        amount = nothing.expand(2) if self._amount is None else self._amount.to(nothing)
        squares = [self._squares.get(pull, nothing).to(nothing) for pull in ("loss", "penalty")]
        return torch.cat([amount, torch.stack(squares)])

    def restore(self, sums: Tensor) -> None:
        """Know what `sums` returned."""
        self.clear()
        if sums[1]:
            self._amount = sums[:2].clone()
            self._squares = {"loss": sums[2].clone(), "penalty": sums[3].clone()}
