"""The operation by which compiled code asks for its backward pass."""

from __future__ import annotations

from threading import get_ident

import torch
from torch import Tensor


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
