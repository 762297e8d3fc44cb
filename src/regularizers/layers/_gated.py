"""Gated units: one bias decides whether a unit is active, a scale and another bias how much."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from regularizers.functional.codes import check_units
from regularizers.layers._pre_activations import check_pre_activations, lie_in_rows, rows


class GateBias(nn.Module):
    r"""Returns relu(x + b): how far a unit is above the point at which its gate opens.

    It is the submodule `gate` of `Gated`.

    Args:
        units: the length of the last axis of the input.

    Shape:
        The output has the shape and type of the input; `bias`: (units,).

    Raises:
        ConfigurationError: units that are no integer of 1 or more.
        ArrayTypeError: in the forward, an input that is not real floating point.
        ShapeError: in the forward, another number of units.

    Example:
        >>> import regularizers as rz
        >>> import torch
        >>> rz.layers.GateBias(2)(torch.tensor([[0.5, -0.5]])).tolist()
        [[0.5, 0.0]]
    """

    def __init__(self, units: int) -> None:
        super().__init__()
        self.units = check_units(units)
        self.bias = nn.Parameter(torch.zeros(units))

    def forward(self, x: Tensor) -> Tensor:
        """Return the positive part of `x` plus the bias."""
        check_pre_activations(self, x, self.units)
        return (x + self.bias).relu_().to(x.dtype)  # in place: fresh memory costs most

    def extra_repr(self) -> str:
        """Return the settings, as the module's text shows them."""
        return f"units={self.units}"


class Gated(nn.Module):
    r"""Returns how much units are active, where their gate is open, and zeros.

    .. math:: \pi = x + b_{gate}, \qquad f = 1[\pi > 0]\, \max(0, e^r x + b_{mag})

    It is `functional.gated`. The input is W x, without a bias. The step has no gradient. The gate
    learns from what is done with the output relu(π) of its submodule `gate`: a penalty,
    `rz.activity(rz.L1(1e-2), where="coding.gate")`, and the error of a reconstruction from relu(π)
    through the decoder with its weights detached.

    Its parameters are `gate.bias` (b_gate), `log_scale` (r) and `bias` (b_mag), all 0 at first.

    Args:
        units: the length of the last axis of the input.

    Shape:
        The output has the shape and type of the input; the parameters: (units,).

    Raises:
        ConfigurationError: units that are no integer of 1 or more.
        ArrayTypeError: in the forward, an input that is not real floating point.
        ShapeError: in the forward, another number of units.

    Example:
        >>> import regularizers as rz
        >>> import torch
        >>> rz.layers.Gated(3)(torch.tensor([[0.5, 0.0, -1.0]])).tolist()
        [[0.5, 0.0, 0.0]]

    Source: Rajamanoharan et al., "Improving dictionary learning with gated sparse autoencoders",
    2024, `arXiv:2404.16014 <https://arxiv.org/abs/2404.16014>`__.
    """

    def __init__(self, units: int) -> None:
        super().__init__()
        self.gate = GateBias(units)
        self.log_scale = nn.Parameter(torch.zeros(units))
        self.bias = nn.Parameter(torch.zeros(units))

    @property
    def units(self) -> int:
        """The length of the last axis."""
        return self.gate.units

    def forward(self, x: Tensor, positive: Tensor | None = None) -> Tensor:
        """Return the magnitudes where the gate is open; `positive`: what `gate(x)` has returned."""
        if positive is None:
            positive = self.gate(x)
        opened, scale = positive.detach(), self.log_scale.exp()
        if lie_in_rows(x.detach(), opened) and x.dtype == self.bias.dtype == scale.dtype:
            y: Tensor = _Magnitude.apply(x, opened, scale, self.bias)  # type: ignore[no-untyped-call]
            return y
        return (torch.addcmul(self.bias, x, scale).relu() * (opened > 0)).to(x.dtype)


class _Magnitude(torch.autograd.Function):
    """relu(scale · x + bias) where a gate is open, in rows that stay in the cache."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, opened: Tensor, scale: Tensor, bias: Tensor) -> Tensor:
        y = torch.empty_like(x)
        where_positive = torch.ops.aten.threshold_backward.grad_input
        for of_x, of_gate, part, _ in rows(x, opened, y):
            torch.addcmul(bias, of_x, scale, out=part)
            where_positive(part, of_gate, 0, grad_input=part).relu_()
        ctx.save_for_backward(x, scale, y)
        return y

    @staticmethod
    def backward(ctx: Any, cotangent: Tensor) -> tuple[Tensor, None, Tensor, Tensor]:
        x, scale, y = ctx.saved_tensors
        if not lie_in_rows(x, y, cotangent):  # it is differentiated again
            on = cotangent * (y > 0)
            of_units = tuple(range(x.ndim - 1))
            return on * scale, None, (on * x).sum(of_units), on.sum(of_units)
        of_x = torch.empty_like(x)
        of_scale, of_bias = torch.zeros_like(scale), torch.zeros_like(scale)
        where_positive = torch.ops.aten.threshold_backward.grad_input
        for part, kept, given, into, buffer in rows(x, y, cotangent, of_x):
            where_positive(given, kept, 0, grad_input=into)
            of_bias += into.sum(dim=0)
            of_scale += torch.mul(into, part, out=buffer).sum(dim=0)
            into.mul_(scale)
        return of_x, None, of_scale, of_bias
