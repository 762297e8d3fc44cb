"""Operations that a compiler calls and does not look into."""

from __future__ import annotations

from threading import get_ident

import torch
from torch import Tensor

from regularizers.attach import _gauge, _scale


@torch.library.custom_op("regularizers::backward_id", mutates_args=())
def backward_id(value: Tensor) -> Tensor:
    """Return the number of the backward pass in which this is called, outside of one −thread.

    Compiled code cannot ask while it is traced, because the same code runs in the forward and,
    repeated by a checkpoint, in the backward.
    """
    backward = torch._C._current_graph_task_id()
    return torch.tensor(backward if backward != -1 else -get_ident())


@backward_id.register_fake
def _(value: Tensor) -> Tensor:
    return torch.empty((), dtype=torch.int64, device="cpu")


@torch.library.custom_op("regularizers::arm_scale", mutates_args=())
def arm_scale(gradient: Tensor, handle: int) -> Tensor:
    """Let `gradient`, which reached the loss, be the scale for the rest of this backward pass."""
    _scale.of(handle).arm(gradient)
    return gradient.clone()


@arm_scale.register_fake
def _(gradient: Tensor, handle: int) -> Tensor:
    return torch.empty_like(gradient)


@torch.library.custom_op("regularizers::read_scale", mutates_args=())
def read_scale(gradient: Tensor, handle: int, site: str) -> Tensor:
    """Return the scale, in the precision to accumulate in and where `gradient` is."""
    return _scale.read(gradient, handle, site)


@read_scale.register_fake
def _(gradient: Tensor, handle: int, site: str) -> Tensor:
    return gradient.new_empty((), dtype=torch.promote_types(gradient.dtype, torch.float32))


@torch.library.custom_op("regularizers::note_pull", mutates_args=())
def note_pull(gradient: Tensor, counted: Tensor | None, pull: str, handle: int) -> Tensor:
    """Note how strong a gradient is that a loss or a penalty has at a site; return a copy of it."""
    _gauge.note(gradient, counted, "loss" if pull == "loss" else "penalty", handle)
    return gradient.clone()


@note_pull.register_fake
def _(gradient: Tensor, counted: Tensor | None, pull: str, handle: int) -> Tensor:
    return torch.empty_like(gradient)
