"""The autograd Functions that read a tensor for a penalty, with its analytic gradient.

A Function saves for the backward pass the tensor itself, its signs in a byte each, or nothing, as
the formula needs, and never touches the module's output. `ctx.saves` says which, because the saved
tensor does not: an array may look like its signs.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from regularizers.attach.reading import _eager
from regularizers.attach.reading._loss_pull import noted
from regularizers.attach.reading._request import Request
from regularizers.errors import RegimeError
from regularizers.modules import is_saved_anyway, is_transformed, saved_tensors_are_hooked


def versions_are_unknown() -> bool:
    """Return whether a change in place after the site could go unnoticed.

    Compiled code has no version counters to compare, and its compiler removes a copy that is not
    needed; tensors that are offloaded come back with others.
    """
    return torch.compiler.is_compiling() or saved_tensors_are_hooked()


def statistic_of(x: Tensor, mask: Tensor | None, request: Request) -> tuple[Tensor, ...]:
    """Return the statistic by the formula itself, and what else its gradient needs."""
    dtype = torch.promote_types(x.dtype, torch.float32)
    frame = request.frame(x.shape, dtype, mask)
    if x.numel() == 0 and request.saves != "nothing":
        return (x.new_zeros((), dtype=dtype),)
    statistic, saved = request.term.statistic(frame.select(x.to(dtype)), frame)
    return statistic, *saved


class Traced(torch.autograd.Function):
    """The statistic of an array, in a form that transforms and compilers can follow."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, mask: Tensor | None, request: Request) -> tuple[Tensor, ...]:
        return statistic_of(x, mask, request)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
        x, mask, ctx.request = inputs
        saved = output[1:]
        if saved:
            ctx.mark_non_differentiable(*saved)
        ctx.set_materialize_grads(False)
        ctx.shape, ctx.dtype = x.shape, x.dtype
        ctx.saves, ctx.version = ctx.request.saves, None
        plain = not (torch.compiler.is_compiling() or is_transformed())
        ctx.mask = mask if plain else None
        match ctx.saves:
            case "input":
                read = x
                if plain and not versions_are_unknown():
                    ctx.version = x._version
            case "sign":
                read = _eager.signs_of(x)
            case "nothing":
                read = None
        ctx.save_for_backward(read, mask, *saved)

    @staticmethod
    def backward(ctx: Any, cotangent: Tensor | None, *_: None) -> tuple[Tensor | None, None, None]:
        return _gradient(ctx, cotangent), None, None


class Eager(torch.autograd.Function):
    """The same where nothing is transformed or compiled, at a third of what a call costs there."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, mask: Tensor | None, request: Request) -> Tensor:
        ctx.set_materialize_grads(False)
        ctx.request, ctx.shape, ctx.dtype, ctx.mask = request, x.shape, x.dtype, mask
        saves = request.saves
        if saves == "sign" and is_saved_anyway(x):
            saves = "input"
        found = None
        if mask is None and request.kernel is not None:
            found = _eager.read(x, request.kernel, signs=saves == "sign")
        if found is not None:
            statistic, signs = found
            saved: tuple[Tensor, ...] = ()
        else:
            statistic, *rest = statistic_of(x, mask, request)
            saved = tuple(rest)
            signs = _eager.signs_of(x) if saves == "sign" else None
        is_input = saves == "input"
        ctx.saves = saves
        ctx.version = x._version if is_input and not saved_tensors_are_hooked() else None
        ctx.save_for_backward(x if is_input else signs, mask, *saved)
        return statistic

    @staticmethod
    def backward(ctx: Any, cotangent: Tensor | None) -> tuple[Tensor | None, None, None]:
        return _gradient(ctx, cotangent), None, None


# skips Function.apply's check for functorch, which callers have done
read_eagerly = super(torch.autograd.Function, Eager).apply


def _gradient(ctx: Any, cotangent: Tensor | None) -> Tensor | None:
    """Return the gradient of (statistic · cotangent) with respect to the tensor that was read."""
    if cotangent is None:
        return None
    if 0 in ctx.shape:
        return cotangent.new_zeros(ctx.shape, dtype=ctx.dtype)
    request: Request = ctx.request
    read, mask, *saved = _saved(ctx)
    # half precision would round a gauge's first strength, which is tiny, to 0
    dtype = ctx.dtype if request.gauge is None else cotangent.dtype
    gradient = None
    if request.kernel is not None and mask is None and read is not None:
        gradient = _eager.gradient(read, ctx.saves, request.kernel, cotangent, dtype)
    if gradient is None:
        gradient = _gradient_by_formula(ctx, request, cotangent, read, mask, tuple(saved))
    if request.gauge is not None:
        gradient = noted(gradient, None, "penalty", request.gauge)
    return gradient.to(ctx.dtype)


def _gradient_by_formula(
    ctx: Any,
    request: Request,
    cotangent: Tensor,
    read: Tensor | None,
    mask: Tensor | None,
    saved: tuple[Tensor | None, ...],
) -> Tensor:
    frame = request.frame(ctx.shape, cotangent.dtype, mask)
    x = None if read is None else frame.select(read.to(cotangent.dtype))
    if ctx.saves == "input" and torch.is_grad_enabled():
        # differentiated again: what the statistic saved is a function of x as well
        saved = request.term.statistic(x, frame)[1]
    if ctx.saves == "sign" and request.slope_is_sign:
        assert x is not None
        scaled: Tensor = cotangent * x  # which are the signs, 0 where masked
        return scaled
    gradient: Tensor = request.term.pullback(x, saved, cotangent, frame)
    selected: Tensor = frame.select(gradient)
    return selected


def _saved(ctx: Any) -> tuple[Tensor | None, ...]:
    """Return what was saved; raise if it is not what the forward read."""
    try:
        saved: tuple[Tensor | None, ...] = ctx.saved_tensors
    except RuntimeError as error:
        if "modified by an inplace operation" in str(error):
            raise _changed(ctx) from None
        raise
    now, then = saved[1], ctx.mask
    if then is not None and now is not None and now is not then:
        # several tensors may be made of one mask: by a function, or when it was offloaded
        same = torch.equal(now.to(then.device), then)
        if not same:
            raise _masked_anew(ctx)
    # a checkpoint computes again what it gives back, and PyTorch does not compare its version; a
    # compiled backward is given copies, whose versions PyTorch has compared
    compares = ctx.version is not None and not torch.compiler.is_compiling()
    if compares and saved[0] is not None and saved[0]._version != ctx.version:
        raise _changed(ctx)
    return saved


def _masked_anew(ctx: Any) -> RegimeError:
    return RegimeError(
        f"{ctx.request.site}: a checkpoint ran the forward again under another mask than the first "
        f"time; call backward within the same `with reg.mask(...)`, or make the mask a function of "
        f"the module's inputs: activity(..., mask=FUNCTION)"
    )


def _changed(ctx: Any) -> RegimeError:
    return RegimeError(
        f"{ctx.request.site or 'penalty'}: the output was changed in place after "
        f"{ctx.request.term!r} had read it, and the gradient needs it as it was; keep a copy: "
        f"activity(..., copy=True)"
    )
