"""Batches of weights for foreach operations, bounded by the memory of their temporaries."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torch import Tensor

from regularizers.penalties.kernels import lie_plainly, pieces, thresholds


def batches(weights: Sequence[Tensor]) -> Iterator[slice]:
    """Yield slices of successive weights; a slice of several has at most one chunk of elements."""
    start, size = 0, 0
    for number, weight in enumerate(weights):
        size += weight.numel()
        limit = thresholds.PIECE if weight.device.type == "cpu" else thresholds.TOGETHER_ELSEWHERE
        if number > start and size > limit:
            yield slice(start, number)
            start, size = number, weight.numel()
    yield slice(start, len(weights))


def parts(read: Tensor, written: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """Yield two tensors of one shape, in chunks if they are large and laid out alike.

    The chunks of `written` are views.
    """
    if read.numel() > thresholds.PIECE and lie_plainly(read, written):
        yield from pieces(read, written)
    else:
        yield read, written
