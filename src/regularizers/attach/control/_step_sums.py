"""What the gauges of all targets summed in one step, as tensors with an element for each target."""

from __future__ import annotations

import functools
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


def sums_of(gauges: Sequence[Gauge], device: torch.device) -> StepSums:
    """Return the sums of the gauges of one process."""
    totals, counts, losses, penalties = zip(*[gauge.sums for gauge in gauges], strict=True)
    total, number = numbers(totals, device), numbers(counts, device)
    known = all(not isinstance(each, Tensor) and each > 0 for each in counts)
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
        each.to(device, torch.float64) if isinstance(each, Tensor) else _constant(each, device)
        for each in column
    ]
    return tensors[0].reshape(1) if len(tensors) == 1 else torch.stack(tensors)


@functools.lru_cache(maxsize=64)
def _constant(number: float, device: torch.device) -> Tensor:
    """Return a number as a tensor, which nobody writes."""
    with torch.inference_mode(False):
        return torch.tensor(number, dtype=torch.float64, device=device)
