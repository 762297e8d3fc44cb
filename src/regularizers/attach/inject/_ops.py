"""Custom operators on the scale of the loss, which are opaque to the compiler."""

from __future__ import annotations

import torch
from torch import Tensor

from regularizers.attach.inject import _scale


@torch.library.custom_op("regularizers::arm_scale", mutates_args=())
def arm_scale(gradient: Tensor, handle: int) -> Tensor:
    """Use `gradient`, which reached the loss, as the scale for the rest of this backward pass."""
    _scale.find_scale(handle).arm(gradient)
    return gradient.clone()


@arm_scale.register_fake
def _(gradient: Tensor, handle: int) -> Tensor:
    return torch.empty_like(gradient)


@torch.library.custom_op("regularizers::read_scale", mutates_args=())
def read_scale(gradient: Tensor, handle: int, site: str) -> Tensor:
    """Return the scale, on the device of `gradient`, in float32 or wider."""
    return _scale.find_scale(handle).read(site, gradient)


@read_scale.register_fake
def _(gradient: Tensor, handle: int, site: str) -> Tensor:
    return gradient.new_empty((), dtype=torch.promote_types(gradient.dtype, torch.float32))
