"""Custom operator that tells forward from backward; opaque to the compiler."""

from __future__ import annotations

from threading import get_ident

import torch
from torch import Tensor


@torch.library.custom_op("regularizers::backward_id", mutates_args=())
def backward_id(value: Tensor) -> Tensor:
    """Return the id of the running backward pass; in a forward the negated thread id.

    It is known only at run time: a checkpoint runs the same compiled code in the forward and again
    in the backward pass.
    """
    backward = torch._C._current_graph_task_id()
    return torch.tensor(backward if backward != -1 else -get_ident())


@backward_id.register_fake
def _(value: Tensor) -> Tensor:
    return torch.empty((), dtype=torch.int64, device="cpu")
