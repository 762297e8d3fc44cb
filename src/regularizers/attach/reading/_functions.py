"""The autograd Functions that read a tensor for a penalty, with its analytic gradient.

A Function saves for the backward pass the tensor itself, its signs in a byte each, or nothing, as
the formula needs. It never changes the module's output. `ctx.saves` tells the cases apart, because
an int8 array may equal its own signs.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from regularizers.attach.reading import _eager
from regularizers.attach.reading import _namespace as xp
from regularizers.attach.reading._gauge import add_square
from regularizers.attach.reading._request import Request
from regularizers.attach.reading._target_measurements import measure_gradient
from regularizers.errors import RegimeError
from regularizers.modules import is_saved_anyway, is_transformed, saved_tensors_are_hooked
from regularizers.penalties import L0


def versions_are_unknown() -> bool:
    """Return whether a change in place after the site could go unnoticed.

    Compiled code has no version counters to compare, and its compiler removes a copy that is not
    needed; offloaded tensors come back with other counters.
    """
    return torch.compiler.is_compiling() or saved_tensors_are_hooked()


def statistic_of(x: Tensor, mask: Tensor | None, request: Request) -> tuple[Tensor, ...]:
    """Return the statistic by the formula, and the tensors that its gradient needs."""
    dtype = torch.promote_types(x.dtype, torch.float32)
    frame = request.frame(x.shape, dtype, mask)
    if x.numel() == 0 and not request.term.takes_empty:
        return (x.new_zeros((), dtype=dtype),)
    statistic, saved = request.term.statistic(frame.select(x.to(dtype)), frame)
    return statistic, *saved


def note_forward(ctx: Any, x: Tensor | None, mask: Tensor | None) -> None:
    """Keep what `saved_tensors` compares in the backward pass; nothing in traced code.

    Args:
        ctx: the context of a Function.
        x: the tensor that is saved first; None if it is not the output of a module itself.
        mask: the tensor that is saved second.
    """
    plain = not (torch.compiler.is_compiling() or is_transformed())
    ctx.mask = mask if plain else None
    if not plain or x is None or x.is_inference() or versions_are_unknown():
        ctx.version = None
    else:
        ctx.version = x._version


class Traced(torch.autograd.Function):
    """The statistic of an array, in a form that transforms and compilers can follow."""

    generate_vmap_rule = True

    @staticmethod
    def forward(
        x: Tensor, mask: Tensor | None, request: Request, window: Tensor | None
    ) -> tuple[Tensor, ...]:
        return statistic_of(x, mask, request)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
        x, mask, ctx.request, ctx.window = inputs
        saved = output[1:]
        if saved:
            ctx.mark_non_differentiable(*saved)
        ctx.set_materialize_grads(False)
        ctx.shape, ctx.dtype = x.shape, x.dtype
        ctx.saves = ctx.request.saves
        note_forward(ctx, x if ctx.saves == "input" else None, mask)
        match ctx.saves:
            case "input":
                read = x
            case "sign":
                read = _eager.signs_of(x)
            case "nothing":
                read = None
        ctx.save_for_backward(read, mask, *saved)

    @staticmethod
    def backward(
        ctx: Any, cotangent: Tensor | None, *_: None
    ) -> tuple[Tensor | None, None, None, None]:
        return _gradient(ctx, cotangent), None, None, None


class Eager(torch.autograd.Function):
    """`Traced` without transforms and compilers, at a third of the cost of a call."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        mask: Tensor | None,
        request: Request,
        window: Tensor | None,
        totals: dict[str, Tensor] | None = None,
    ) -> Tensor:
        ctx.set_materialize_grads(False)
        ctx.window = window
        ctx.request, ctx.shape, ctx.dtype, ctx.mask = request, x.shape, x.dtype, mask
        saves = request.saves
        if saves == "sign" and is_saved_anyway(x):
            saves = "input"
        found = None
        counts = request.gauge is not None and request.slope_is_sign
        counts = counts and mask is None and window is None
        if counts and totals is None:
            totals = {}
        if mask is None and request.kernel is not None:
            found = _eager.read(x, request.kernel, signs=saves == "sign", totals=totals)
        if found is not None:
            statistic, signs = found
            saved: tuple[Tensor, ...] = ()
        else:
            statistic, *rest = statistic_of(x, mask, request)
            saved = tuple(rest)
            signs = _eager.signs_of(x) if saves == "sign" else None
        # the norm of a sign follows from the count of elements that are not 0
        ctx.active = totals.get("active") if counts and totals is not None else None
        is_input = saves == "input"
        ctx.saves = saves
        # in inference mode no version is counted, and no gradient is asked for
        compares = is_input and not saved_tensors_are_hooked() and not x.is_inference()
        ctx.version = x._version if compares else None
        ctx.save_for_backward(x if is_input else signs, mask, *saved)
        return statistic

    @staticmethod
    def backward(ctx: Any, cotangent: Tensor | None) -> tuple[Tensor | None, *tuple[None, ...]]:
        return _gradient(ctx, cotangent), None, None, None, None


# skips Function.apply's functorch check; the callers did it
read_eagerly = super(torch.autograd.Function, Eager).apply


def _gradient(ctx: Any, cotangent: Tensor | None) -> Tensor | None:
    """Return the gradient of (statistic · cotangent) with respect to the tensor."""
    if cotangent is None:
        return None
    if 0 in ctx.shape:
        return cotangent.new_zeros(ctx.shape, dtype=ctx.dtype)
    request: Request = ctx.request
    read, mask, *saved = saved_tensors(ctx)
    # a gauge's first strength is tiny; half precision would round it to 0
    dtype = ctx.dtype if request.gauge is None else cotangent.dtype
    gradient = None
    if request.kernel is not None and mask is None and read is not None:
        gradient = _eager.gradient(read, ctx.saves, request.kernel, cotangent, dtype)
    if gradient is None:
        gradient = _gradient_by_formula(ctx, request, cotangent, read, mask, tuple(saved))
    if request.gauge is not None:
        square = _squared_slope(ctx, request, mask, tuple(saved))
        if square is not None:
            add_square(cotangent.detach().double().square() * square, "penalty", request.gauge)
        else:
            gradient = measure_gradient(gradient, ctx.window, "penalty", request.gauge)
    return gradient.to(ctx.dtype)


def _squared_slope(
    ctx: Any, request: Request, mask: Tensor | None, saved: tuple[Tensor | None, ...]
) -> Tensor | None:
    """Return the squared norm of the gradient for a cotangent of 1; None if it must be read."""
    if torch.compiler.is_compiling() or mask is not None:
        return None
    if ctx.window is not None:  # only a slope of 1 everywhere is known in a part
        return ctx.window.count_nonzero() if type(request.term) is L0 else None
    active: Tensor | None = getattr(ctx, "active", None)
    if active is not None:
        return active
    square: Tensor | None = request.term.squared_slope(saved, xp)
    return square


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
        # for double backward: the saved tensors depend on x too
        saved = request.term.statistic(x, frame)[1]
    if ctx.saves == "sign" and request.slope_is_sign:
        assert x is not None
        scaled: Tensor = cotangent * x  # x holds the signs, 0 where masked
        return scaled
    gradient: Tensor = request.term.pullback(x, saved, cotangent, frame)
    selected: Tensor = frame.select(gradient)
    return selected


def saved_tensors(ctx: Any) -> tuple[Tensor | None, ...]:
    """Return the saved tensors; raise if they are not those of the forward."""
    try:
        saved: tuple[Tensor | None, ...] = ctx.saved_tensors
    except RuntimeError as error:
        if "modified by an inplace operation" in str(error):
            raise _changed(ctx) from None
        raise
    now, then = saved[1], ctx.mask
    if then is not None and now is not None and now is not then:
        # equal masks may be two tensors: made by a function, or offloaded
        same = torch.equal(now.to(then.device), then)
        if not same:
            raise _mask_changed(ctx)
    # PyTorch does not compare the versions of tensors that a checkpoint recomputes; a compiled
    # backward gets copies, and PyTorch compared the versions before
    compares = ctx.version is not None and not torch.compiler.is_compiling()
    if compares and saved[0] is not None and saved[0]._version != ctx.version:
        raise _changed(ctx)
    return saved


def _mask_changed(ctx: Any) -> RegimeError:
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
