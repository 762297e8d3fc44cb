"""Measurements of a penalty with a target, summed over the passes of one step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch
from torch import Tensor

from regularizers.modules import Handles
from regularizers.penalties.kernels import kept_buffer, lie_plainly, thresholds, wide_pieces

_gauges: Handles[Gauge] = Handles()

GradientSource = Literal["loss", "penalty"]
"""The gradient of the loss, or that of the penalty at its strength."""

_SOURCES: tuple[GradientSource, ...] = ("loss", "penalty")

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
        counted: 0 at elements that do not count; None for all.
        source: the loss or the penalty, whose gradient it is.
        handle: the gauge; one that was deleted is skipped.
    """
    gauge = _gauges.find(handle)
    if gauge is not None and gauge.is_due:
        gauge.add_gradient(gradient, counted, source)


def add_square(square: Tensor, source: GradientSource, handle: int) -> None:
    """Add the squared norm of a gradient, if it follows from other numbers."""
    gauge = _gauges.find(handle)
    if gauge is not None and gauge.is_due:
        gauge.add_square(square, source)


class Gauge:
    """Sums over the forwards and backward passes since the last step.

    The gradients of the loss and of the penalty are compared at the output of the site: a factor of
    the loss multiplies both there, and cancels. The sums stay on the device.

    Args:
        headroom: how many times the scale an equilibrium may lie at.
    """

    def __init__(self, headroom: float = 1.0) -> None:
        self.handle = _gauges.add(self)
        self.headroom = headroom
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
        total = total.double() if not total.requires_grad else total.detach().double()
        self._total = total if self._total is None else self._total + total.to(self._total.device)
        self._count = self._count + count

    def add_gradient(
        self, gradient: Tensor, counted: Tensor | None, source: GradientSource
    ) -> None:
        """Add the squared norm of one gradient."""
        self.add_square(_squared_norm(gradient.detach(), counted), source)

    def add_square(self, square: Tensor, source: GradientSource) -> None:
        """Add the squared norm of one gradient, a float64 scalar."""
        known = self._squares.get(source)
        self._squares[source] = square if known is None else known + square.to(known.device)

    def add_values(self, values: Sequence[Tensor]) -> None:
        """Add the sum of penalties, which is compared with the mean loss in place of gradients."""
        if self._total is None or not values:
            return
        device = self._total.device
        penalty = torch.stack([value.detach().to(device, torch.float64) for value in values]).sum()
        # both are squared once they are known of all processes
        self._squares = {"loss": penalty.new_zeros(()), "penalty": penalty}

    @property
    def is_empty(self) -> bool:
        """Whether nothing was measured in this step."""
        return self._total is None

    @property
    def device(self) -> torch.device | None:
        """Where this step was measured; None if nothing was."""
        return None if self._total is None else self._total.device

    @property
    def has_scale(self) -> bool:
        """Whether both gradients were measured in this step."""
        return len(self._squares) == 2

    @property
    def sums(self) -> tuple[Tensor | float, Tensor | float, Tensor | float, Tensor | float]:
        """Total, count, and the squared gradient norms of loss and penalty; 0 for none."""
        total = 0.0 if self._total is None else self._total
        if not self._squares:
            return total, self._count, 0.0, 0.0
        loss, penalty = [self._squares.get(source, 0.0) for source in _SOURCES]
        return total, self._count, loss * self.headroom**2, penalty

    def saved(self) -> dict[str, Any]:
        """Return the sums and the readings so far, as plain numbers."""
        total, count = self.sums[:2]
        squares = [self._squares.get(source, 0.0) for source in _SOURCES]
        return {
            "sums": [float(each) for each in (total, count, *squares)],
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
        if penalty:
            self._squares = {
                "loss": torch.tensor(loss, dtype=torch.float64),
                "penalty": torch.tensor(penalty, dtype=torch.float64),
            }
        self._readings, self._since = int(saved.get("readings", 0)), int(saved.get("since", 0))
        self.is_due = bool(saved.get("due", True))


def _squared_norm(gradient: Tensor, counted: Tensor | None) -> Tensor:
    """Return the squared norm where `counted` is not 0, a float64 scalar.

    It is added up in float64: the first strength is so small that its squares would be 0 in
    float32.
    """
    others = [] if counted is None else [counted]
    if gradient.numel() == 0:
        return gradient.new_zeros((), dtype=torch.float64)
    if not lie_plainly(gradient, *others):
        wide = gradient.to(torch.promote_types(gradient.dtype, torch.float32))
        selected = wide if counted is None else wide * counted.sign()
        norm: Tensor = torch.linalg.vector_norm(selected, dtype=torch.float64)
        return norm.square()
    squares = []
    size = thresholds.SQUARED
    doubles = kept_buffer(torch, torch.float64, size, 1)
    for piece, buffer, *signs in wide_pieces(gradient, *others, size=size):
        if signs:  # in pieces, whose buffer stays in the cache: fresh memory costs most
            same = signs[0].dtype == buffer.dtype
            sign = torch.sign(signs[0], out=buffer) if same else buffer.copy_(signs[0]).sign_()
            piece = sign.mul_(piece)
        # float32 is squared in float64 faster from a copy in the cache
        wide = doubles[: len(piece)].copy_(piece) if piece.dtype != doubles.dtype else piece
        squares.append(torch.dot(wide, wide))
    return squares[0] if len(squares) == 1 else torch.stack(squares).sum()
