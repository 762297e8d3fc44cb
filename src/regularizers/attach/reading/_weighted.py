"""Sums over elements, each of which is multiplied by a weight of its own."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from regularizers.attach.reading import _namespace as xp
from regularizers.attach.reading._functions import note_forward, saved_tensors
from regularizers.attach.reading._request import Request
from regularizers.attach.reading._target_measurements import measure_gradient
from regularizers.penalties import is_elementwise
from regularizers.penalties.arrays import Frame


class WeightedSum(torch.autograd.Function):
    """The statistic Σ wᵢ f(xᵢ) of a sum over elements; both x and w have a gradient.

    The weights broadcast to `x`. Elements where the mask is False count in neither gradient.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(
        x: Tensor, weights: Tensor, mask: Tensor | None, request: Request, window: Tensor | None
    ) -> Tensor:
        assert is_elementwise(request.term)
        frame, wide = _read(x, mask, request)
        total: Tensor = frame.select(request.term.element(xp, wide) * weights.to(wide.dtype)).sum()
        return total

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        x, weights, mask, ctx.request, ctx.window = inputs
        note_forward(ctx, x, mask)
        ctx.save_for_backward(x, mask, weights)

    @staticmethod
    def backward(ctx: Any, cotangent: Tensor) -> tuple[Tensor | None, ...]:
        x, mask, weights = saved_tensors(ctx)
        assert x is not None
        assert weights is not None
        request: Request = ctx.request
        assert is_elementwise(request.term)
        frame, wide = _read(x, mask, request)
        of_x = of_weights = None
        if ctx.needs_input_grad[0]:
            slope = request.term.element_slope(xp, wide)
            of_x = frame.select(cotangent * weights.to(wide.dtype) * slope)
            if request.gauge is not None:
                of_x = measure_gradient(of_x, ctx.window, "penalty", request.gauge)
            of_x = of_x.to(x.dtype)
        if ctx.needs_input_grad[1]:
            of_each = cotangent * frame.select(request.term.element(xp, wide))
            of_weights = of_each.sum_to_size(weights.shape).to(weights.dtype)
        return of_x, of_weights, None, None, None


def _read(x: Tensor, mask: Tensor | None, request: Request) -> tuple[Frame, Tensor]:
    """Return how elements become one number, and `x` wide, with zeros where it does not count."""
    dtype = torch.promote_types(x.dtype, torch.float32)
    frame = request.frame(x.shape, dtype, mask)
    return frame, frame.select(x.to(dtype))
