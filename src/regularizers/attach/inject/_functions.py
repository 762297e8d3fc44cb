"""Autograd Functions that add the gradient of a penalty to the gradient of the loss."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from regularizers.attach.inject import _scale
from regularizers.attach.inject._ops import arm_scale, read_scale
from regularizers.errors import RegimeError


class Inject(torch.autograd.Function):
    """The identity of `x`; backward also sends the scale of the loss to `penalty`."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, penalty: Tensor, handle: int, site: str) -> Tensor:
        # a copy, since autograd forbids in-place changes to a view that a Function returns
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
            known = _scale.find_scale(ctx.handle)
            scale = known.read(ctx.site, gradient)
            _check_one_loss(ctx, known.loss)
        return gradient, scale.to(ctx.dtype), None, None


class ScaleFrom(torch.autograd.Function):
    """The identity of the loss; backward records the gradient that reaches it as the scale."""

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
            # using its result keeps the compiler from removing or reordering it
            return arm_scale(gradient, ctx.handle), None
        ctx.loss = getattr(ctx, "loss", None) or object()
        _scale.find_scale(ctx.handle).arm(gradient, ctx.loss)
        return gradient, None


def _check_one_loss(ctx: Any, loss: object) -> None:
    """Raise if an output has had its penalty already, from another loss of the same forward."""
    before = getattr(ctx, "loss", None)
    if before is not None and loss is not None and before is not loss:
        raise RegimeError(
            f"{ctx.site}: two losses of one forward went through scale_from and back one after the "
            f"other, so that the penalty would count twice; call scale_from once, on their sum"
        )
    ctx.loss = loss
