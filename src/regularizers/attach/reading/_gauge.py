"""Measurements of a penalty with a target, summed over the passes of one step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor

from regularizers.modules import Handles

_gauges: Handles[Gauge] = Handles()

GradientSource = Literal["loss", "penalty"]

_FIRST_READINGS = 30
"""The steps in which the gradients are measured before the estimate has settled."""

_EVERY = 10
"""From then on they are measured at every tenth step.

Benchmark: `control`, L1 with a target beside L1 with a number.
"""


def add_gradient(
    gradient: Tensor, counted: Tensor | None, source: GradientSource, handle: int
) -> None:
    """Add the squared norm of a gradient to a gauge.

    Args:
        gradient: with respect to the output of a site.
        counted: 1 or −1 at the elements that count, and 0 elsewhere; None for all.
        source: the loss or the penalty, whose gradient it is.
        handle: the gauge; one that was deleted is skipped.
    """
    gauge = _gauges.find(handle)
    if gauge is not None and gauge.is_due:
        gauge.add_gradient(gradient, counted, source)


class Gauge:
    """Sums over the forwards and backward passes since the last step.

    The gradients of the loss and of the penalty are compared at the output of the site: a factor of
    the loss multiplies both there, and cancels. The sums stay on the device.
    """

    def __init__(self) -> None:
        self.handle = _gauges.add(self)
        self.is_due = True
        """Whether the gradients of this step are measured."""
        self._readings = 0
        self._since = 0
        self._clear()

    def _clear(self) -> None:
        self._total: Tensor | None = None
        self._count: Tensor | float = 0
        self._squares: dict[GradientSource, Tensor] = {}

    def advance(self) -> None:
        """Begin the next step."""
        self._since += 1
        if self.has_scale:
            self._readings, self._since = self._readings + 1, 0
        self.is_due = self._readings < _FIRST_READINGS or self._since >= _EVERY - 1
        self._clear()

    def add_amount(self, total: Tensor, count: Tensor | float) -> None:
        """Add the quantity that one forward measured: its total and its count."""
        total = total.detach().double()
        self._total = total if self._total is None else self._total + total.to(self._total.device)
        self._count = self._count + count

    def add_gradient(
        self, gradient: Tensor, counted: Tensor | None, source: GradientSource
    ) -> None:
        """Add the squared norm of one gradient."""
        square = _squared_norm(gradient.detach(), counted)
        known = self._squares.get(source)
        self._squares[source] = square if known is None else known + square.to(known.device)

    @property
    def is_empty(self) -> bool:
        """Whether nothing was measured in this step."""
        return self._total is None

    @property
    def has_scale(self) -> bool:
        """Whether both gradients were measured in this step."""
        return len(self._squares) == 2

    @property
    def sums(self) -> tuple[Tensor | float, Tensor | float, Tensor | float, Tensor | float]:
        """Total, count, and the squared gradient norms of loss and penalty; 0 for none."""
        total = 0.0 if self._total is None else self._total
        return total, self._count, self._squares.get("loss", 0.0), self._squares.get("penalty", 0.0)

    def saved(self) -> dict[str, Any]:
        """Return the sums and the readings so far, as plain numbers."""
        return {
            "sums": [float(each) for each in self.sums],
            "readings": self._readings,
            "since": self._since,
            "due": self.is_due,
        }

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Set the gauge to what `saved` returned; an older state measures at every step."""
        self._clear()
        total, count, loss, penalty = [float(each) for each in saved["sums"]]
        if count:
            self._total, self._count = torch.tensor(total, dtype=torch.float64), count
        if loss and penalty:
            self._squares = {
                "loss": torch.tensor(loss, dtype=torch.float64),
                "penalty": torch.tensor(penalty, dtype=torch.float64),
            }
        self._readings, self._since = int(saved.get("readings", 0)), int(saved.get("since", 0))
        self.is_due = bool(saved.get("due", True))


def _squared_norm(gradient: Tensor, counted: Tensor | None) -> Tensor:
    """Return the squared norm of the elements that count, a float64 scalar.

    The elements are divided by the largest first: the first strength is so small that its squares
    would be 0 in float32.
    """
    wide = gradient.to(torch.promote_types(gradient.dtype, torch.float32))
    if counted is not None:
        wide = wide * counted
    if wide.numel() == 0:
        return wide.new_zeros((), dtype=torch.float64)
    largest = wide.abs().amax()
    largest = torch.where((largest > 0) & (largest < torch.inf), largest, 1.0)
    norm: Tensor = torch.linalg.vector_norm(wide / largest).double() * largest.double()
    return norm.square()
