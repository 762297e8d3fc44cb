"""Custom operator that measures a gradient; opaque to the compiler."""

from __future__ import annotations

import torch
from torch import Tensor

from regularizers.attach.reading import _gauge


@torch.library.custom_op("regularizers::gauge_gradient", mutates_args=())
def gauge_gradient(gradient: Tensor, counted: Tensor | None, source: str, handle: int) -> Tensor:
    """Add the squared norm of a gradient to a gauge; return a copy of the gradient."""
    _gauge.add_gradient(gradient, counted, "loss" if source == "loss" else "penalty", handle)
    return gradient.clone()


@gauge_gradient.register_fake
def _(gradient: Tensor, counted: Tensor | None, source: str, handle: int) -> Tensor:
    return torch.empty_like(gradient)
