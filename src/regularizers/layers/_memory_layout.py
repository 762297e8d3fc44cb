"""Copies tensors into the memory layout of others."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def laid_out_as(like: Sequence[Tensor], tensors: list[Tensor]) -> list[Tensor]:
    """Return `tensors` in one contiguous chunk of memory if the tensors `like` lie in one.

    cuDNN keeps the weights of a recurrent layer in one chunk and finds them by their offsets. If
    some are elsewhere, it warns and copies all of them at every call. Here they are copied in the
    graph instead, with zeros where `like` has gaps.

    Shape:
        `tensors` and `like` have the same shapes.
    """
    order = _in_one_chunk(like)
    if order is None or len({t.dtype for t in (*like, *tensors)}) > 1:
        return tensors
    pieces: list[Tensor] = []
    end = 0
    for i in order:
        start = int(like[i].storage_offset())
        pieces += [tensors[i].new_zeros(start - end), tensors[i].reshape(-1)]
        end = start + like[i].numel()
    pieces.append(tensors[0].new_zeros(_extent(like[0]) - end))
    chunk = torch.cat(pieces)
    return [chunk.narrow(0, int(w.storage_offset()), w.numel()).view(w.shape) for w in like]


def _in_one_chunk(tensors: Sequence[Tensor]) -> list[int] | None:
    """Return the order of `tensors` in their common chunk; None if they do not share one alone."""
    try:
        chunks = {t.untyped_storage()._cdata for t in tensors}
    except NotImplementedError:  # a tensor of a functorch transform has no storage
        return None
    if len(tensors) < 2 or len(chunks) > 1 or not all(t.is_contiguous() for t in tensors):
        return None
    order = sorted(range(len(tensors)), key=lambda i: int(tensors[i].storage_offset()))
    end = 0
    for i in order:
        if tensors[i].storage_offset() < end:
            return None  # two of them are tied
        end = int(tensors[i].storage_offset()) + tensors[i].numel()
    # cuDNN adds only zero biases, so a far larger chunk is shared with other modules
    is_their_own = _extent(tensors[0]) <= 2 * sum(t.numel() for t in tensors)
    return order if is_their_own else None


def _extent(tensor: Tensor) -> int:
    """Return the number of elements in the storage of `tensor`."""
    return tensor.untyped_storage().nbytes() // tensor.element_size()
