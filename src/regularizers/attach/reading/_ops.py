"""The operation by which compiled code notes a gradient."""

from __future__ import annotations

import torch
from torch import Tensor

from regularizers.attach.reading import _gauge


@torch.library.custom_op("regularizers::note_pull", mutates_args=())
def note_pull(gradient: Tensor, counted: Tensor | None, pull: str, handle: int) -> Tensor:
    """Note how strong a gradient is that a loss or a penalty has at a site; return a copy of it."""
    _gauge.note(gradient, counted, "loss" if pull == "loss" else "penalty", handle)
    return gradient.clone()


@note_pull.register_fake
def _(gradient: Tensor, counted: Tensor | None, pull: str, handle: int) -> Tensor:
    return torch.empty_like(gradient)
