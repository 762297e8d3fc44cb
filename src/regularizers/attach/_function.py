"""The one autograd Function: the analytic gradient of every penalty, in PyTorch's terms."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from regularizers.attach import _namespace as xp
from regularizers.penalties._arrays import widen
from regularizers.penalties._elementary import Elementary
from regularizers.penalties._frame import Axes, Frame


def penalise(x: Tensor, term: Elementary, batch_axis: Axes, mask: Tensor | None = None) -> Tensor:
    """Return the penalty of `x` for a strength of 1, a scalar in the graph of `x`.

    Reading `x` is the Function's part, with the analytic gradient and the least that it must save;
    what follows is arithmetic on a small statistic, which autograd does as well.
    """
    if x.numel() == 0:
        empty: Tensor = widen(xp, x).sum()
        return empty
    statistic = Measure.apply(x, mask, term, batch_axis)[0]  # type: ignore[no-untyped-call]
    value: Tensor = term.value(statistic, term.tally(_frame(x, term, batch_axis, mask)), xp)
    return value


def _frame(x: Tensor, term: Elementary, batch_axis: Axes, mask: Tensor | None) -> Frame:
    dtype = torch.promote_types(x.dtype, torch.float32)
    return Frame(xp, x.shape, dtype, term.reduce or "sum", batch_axis, mask)


class Measure(torch.autograd.Function):
    """The statistic of an array that a penalty is a function of.

    It saves for the backward pass the array itself, its signs in a byte each, or nothing, as the
    penalty says it must, and never touches the module's output.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(
        x: Tensor, mask: Tensor | None, term: Elementary, batch_axis: Axes
    ) -> tuple[Tensor, ...]:
        frame = _frame(x, term, batch_axis, mask)
        statistic, kept = term.measure(frame.select(widen(xp, x)), frame)
        return statistic, *kept

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
        x, mask, ctx.term, ctx.batch_axis = inputs
        _, *kept = output
        ctx.mark_non_differentiable(*kept)
        ctx.set_materialize_grads(False)
        ctx.shape, ctx.dtype = x.shape, x.dtype
        match ctx.term.keeps:
            case "input":
                read = x
            case "sign":
                read = torch.sign(x).to(torch.int8)
            case "nothing":
                read = None
        ctx.save_for_backward(read, mask, *kept)

    @staticmethod
    def backward(
        ctx: Any, cotangent: Tensor | None, *_: None
    ) -> tuple[Tensor | None, None, None, None]:
        if cotangent is None:
            return None, None, None, None
        term = ctx.term
        read, mask, *kept = ctx.saved_tensors
        frame = Frame(xp, ctx.shape, cotangent.dtype, term.reduce or "sum", ctx.batch_axis, mask)
        x = None if read is None else frame.select(read.to(cotangent.dtype))
        if term.keeps == "input" and torch.is_grad_enabled():
            # differentiated again: what the statistic kept is a function of x as well
            kept = term.measure(x, frame)[1]
        gradient = frame.select(term.pullback(x, kept, cotangent, frame))
        return gradient.to(ctx.dtype), None, None, None
