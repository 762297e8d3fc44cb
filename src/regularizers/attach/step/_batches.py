"""Weights taken together, as many at once as their temporaries have room."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torch import Tensor

from regularizers.penalties.kernels import PIECE, lie_plainly, pieces

_ELSEWHERE = 2**26
"""Elements of a batch on another device, where it only bounds the memory of temporaries."""


def batches(weights: Sequence[Tensor]) -> Iterator[slice]:
    """Yield successive weights, of which several together are no larger than one piece."""
    start, size = 0, 0
    for number, weight in enumerate(weights):
        size += weight.numel()
        room = PIECE if weight.device.type == "cpu" else _ELSEWHERE
        if number > start and size > room:
            yield slice(start, number)
            start, size = number, weight.numel()
    yield slice(start, len(weights))


def parts(read: Tensor, written: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """Yield two tensors of one shape, or if they are large and lie plainly the pieces of them.

    Those of `written` are views.
    """
    if read.numel() > PIECE and lie_plainly(read, written):
        yield from pieces(read, written)
    else:
        yield read, written
