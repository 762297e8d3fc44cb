"""What the gauges of all targets summed in one step, as tensors with an element for each target."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from regularizers.attach.reading import Gauge


class StepSums(NamedTuple):
    """The sums of one step."""

    total: Tensor
    number: Tensor
    """The count, of which the total is divided."""
    loss: Tensor | None
    """The squared norm of the gradient of the loss; None where no gradient was measured."""
    penalty: Tensor | None
    all_measured: bool
    """Whether every target is known to have measured something."""
    processes: int = 1
    """How many processes they are of."""

    def part(self, targets: int | slice) -> StepSums:
        """Return the sums of some targets."""
        loss = None if self.loss is None else self.loss[targets]
        penalty = None if self.penalty is None else self.penalty[targets]
        total, number = self.total[targets], self.number[targets]
        return StepSums(total, number, loss, penalty, self.all_measured, self.processes)


class LastCounts:
    """The counts of the last step as a tensor, which is made anew only where they change."""

    def __init__(self) -> None:
        self._counts: tuple[Tensor | float, ...] = ()
        self._tensor: Tensor | None = None
        self._are_positive = False

    def tensor(
        self, counts: tuple[Tensor | float, ...], device: torch.device
    ) -> tuple[Tensor, bool]:
        """Return counts as a tensor of float64, which nobody writes, and whether all are above 0.

        Counts that are tensors are not read, and not known to be above 0.
        """
        if not {*map(type, counts)} <= {int, float}:
            return numbers(counts, device), False
        if self._tensor is None or self._counts != counts or self._tensor.device != device:
            self._counts, self._tensor = counts, numbers(counts, device)
            self._are_positive = all(not isinstance(each, Tensor) and each > 0 for each in counts)
        return self._tensor, self._are_positive


def sums_of(gauges: Sequence[Gauge], device: torch.device, last: LastCounts) -> StepSums:
    """Return the sums of the gauges of one process."""
    totals, counts, losses, penalties = zip(*[gauge.sums for gauge in gauges], strict=True)
    total, (number, known) = numbers(totals, device), last.tensor(counts, device)
    if not any(gauge.has_scale for gauge in gauges):
        return StepSums(total, number, None, None, known)
    return StepSums(total, number, numbers(losses, device), numbers(penalties, device), known)


def split_sums(sums: StepSums, sizes: Sequence[int]) -> list[StepSums]:
    """Return the sums in parts of consecutive targets."""
    ends = [sum(sizes[: n + 1]) for n in range(len(sizes))]
    return [sums.part(slice(end - size, end)) for end, size in zip(ends, sizes, strict=True)]


def numbers(column: Sequence[Tensor | float], device: torch.device) -> Tensor:
    """Return numbers and tensors of 0 dimensions as one tensor of float64; none is read."""
    tensors = [
        each.to(device, torch.float64)
        if isinstance(each, Tensor)
        else torch.tensor(each, dtype=torch.float64, device=device)
        for each in column
    ]
    return tensors[0].reshape(1) if len(tensors) == 1 else torch.stack(tensors)
