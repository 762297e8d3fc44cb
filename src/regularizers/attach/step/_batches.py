"""Weights taken together, as many at once as their temporaries have room."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torch import Tensor

from regularizers.penalties.kernels import lie_plainly, pieces, thresholds


def batches(weights: Sequence[Tensor]) -> Iterator[slice]:
    """Yield successive weights, of which several together are no larger than one piece."""
    start, size = 0, 0
    for number, weight in enumerate(weights):
        size += weight.numel()
        room = thresholds.PIECE if weight.device.type == "cpu" else thresholds.TOGETHER_ELSEWHERE
        if number > start and size > room:
            yield slice(start, number)
            start, size = number, weight.numel()
    yield slice(start, len(weights))


def parts(read: Tensor, written: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """Yield two tensors of one shape, or if they are large and lie plainly the pieces of them.

    Those of `written` are views.
    """
    if read.numel() > thresholds.PIECE and lie_plainly(read, written):
        yield from pieces(read, written)
    else:
        yield read, written
