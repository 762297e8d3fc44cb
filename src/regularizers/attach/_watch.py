"""What a site with a target measures: its quantity, and how strongly the loss pulls at it."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from regularizers.attach import _gauge, _ops
from regularizers.attach import _namespace as xp
from regularizers.attach._outputs import Activation
from regularizers.control._targets import Target
from regularizers.penalties._arrays import widen
from regularizers.penalties._elementary import Elementary
from regularizers.penalties._frame import Axes, Frame


def amount_of(
    x: Tensor, term: Elementary, batch_axis: Axes, mask: Tensor | None, site: str
) -> Tensor:
    """Return the total of what the target of `term` measures of `x`, and its count; (2,).

    Raises:
        ConfigurationError: a target that so few units cannot reach.
    """
    target = term.strength
    assert isinstance(target, Target)
    with torch.no_grad():
        wide = widen(xp, x.detach())
        frame = Frame(xp, x.shape, wide.dtype, "sum", batch_axis, mask)
        target.check(math.prod([x.shape[axis] for axis in frame.units]), site)
        total, count = target.measure(frame.select(wide), frame)
        counted = count if isinstance(count, Tensor) else total.new_full((), count)
        return torch.stack([total.double(), counted.double()])


def counted_of(activation: Activation) -> Tensor:
    """Return where a penalty can pull at what an activation is made of: what is valid, not 0."""
    x, mask = activation.entry.detach(), activation.mask
    if mask is None or activation.padded_from is not None:
        return x != 0
    frame = Frame(xp, x.shape, x.dtype, "sum", activation.batch_axis, mask)
    selected: Tensor = frame.select(x)
    return selected != 0


def noted(gradient: Tensor, counted: Tensor | None, pull: _gauge.Pull, handle: int) -> Tensor:
    """Return `gradient`, of which the gauge has noted how strong it is."""
    if torch.compiler.is_compiling():
        # its result is used, so that the compiler keeps it
        result: Tensor = _ops.note_pull(gradient, counted, pull, handle)
        return result
    _gauge.note(gradient, counted, pull, handle)
    return gradient


class Watch(torch.autograd.Function):
    """The identity of `x`, which notes how strongly the loss pulls at its elements."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, counted: Tensor, gauges: tuple[int, ...]) -> Tensor:
        # a copy, since an alias would forbid to change it in place
        return x.clone()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        _, counted, ctx.gauges = inputs
        ctx.save_for_backward(counted)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        (counted,) = ctx.saved_tensors
        for gauge in ctx.gauges:
            gradient = noted(gradient, counted, "loss", gauge)
        return gradient, None, None
