"""The autograd Functions by which the gradient of a penalty enters on the way of the loss's."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from regularizers.attach.inject import _scale
from regularizers.attach.inject._ops import arm_scale, read_scale


class Inject(torch.autograd.Function):
    """The identity of `x`, through which the gradient of a penalty enters, scaled as the loss."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, penalty: Tensor, handle: int, site: str) -> Tensor:
        # a copy, since an alias would forbid to change it in place
        return x.clone()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        _, penalty, ctx.handle, ctx.site = inputs
        ctx.dtype = penalty.dtype

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None, None]:
        if torch.compiler.is_compiling():
            scale = read_scale(gradient.detach(), ctx.handle, ctx.site)
        else:
            scale = _scale.read(gradient, ctx.handle, ctx.site)
        return gradient, scale.to(ctx.dtype), None, None


class ScaleFrom(torch.autograd.Function):
    """The identity of the loss, which learns in the backward pass by what it is scaled."""

    generate_vmap_rule = True

    @staticmethod
    def forward(loss: Tensor, handle: int) -> Tensor:
        return loss.clone()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        _, ctx.handle = inputs

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        if torch.compiler.is_compiling():
            # its result is used, so that the compiler keeps it and keeps it first
            return arm_scale(gradient, ctx.handle), None
        _scale.of(ctx.handle).arm(gradient)
        return gradient, None
