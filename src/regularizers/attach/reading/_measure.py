"""The autograd Functions that read an array for a penalty, with its analytic gradient."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from regularizers.attach.reading import _eager as _quick
from regularizers.attach.reading import _namespace as xp
from regularizers.attach.reading._loss_pull import noted
from regularizers.errors import RegimeError
from regularizers.modules import is_saved_anyway, is_transformed, saved_tensors_are_hooked
from regularizers.penalties import Elementary, Keeps
from regularizers.penalties.arrays import Axes, Frame, Tally


def penalise(
    x: Tensor,
    term: Elementary,
    batch_axis: Axes,
    mask: Tensor | None = None,
    *,
    site: str = "",
    copy: bool = False,
) -> Tensor:
    """Return the penalty of `x` for a strength of 1, a scalar in the graph of `x`."""
    statistic, tally = measure(x, term, batch_axis, mask, site=site, copy=copy)
    value: Tensor = term.value(statistic, tally, xp)
    return value


def measure(
    x: Tensor,
    term: Elementary,
    batch_axis: Axes,
    mask: Tensor | None = None,
    *,
    site: str = "",
    copy: bool = False,
    gauge: int | None = None,
    saved_anyway: bool = False,
) -> tuple[Tensor, Tally]:
    """Return the statistic of `x` in its graph, and the tally: what the penalty is a function of.

    Reading `x` is the Function's part, with the analytic gradient and the least that it must save;
    what follows is arithmetic on a small statistic, which autograd does as well. Compiled code,
    in which a byte of sign costs time, is told if what computed `x` saves it anyway.
    """
    keeps = term.keeps
    if keeps == "input" and (copy or _must_copy()):
        x = x.clone()
    if keeps == "sign" and saved_anyway and torch.compiler.is_compiling():
        keeps = "input"  # which cannot be changed in place unseen
    reading = Reading(term, batch_axis, site, gauge, keeps)
    if torch.compiler.is_compiling() or is_transformed():
        statistic = Measure.apply(x, mask, reading)[0]  # type: ignore[no-untyped-call]
    else:
        statistic = measure_now(x, mask, reading)
    return statistic, term.tally(reading.frame(x.shape, statistic.dtype, mask))


def _must_copy() -> bool:
    """Return whether a change in place after the site could go unnoticed.

    Compiled code has no version counters to compare, and its compiler removes a copy that is not
    needed; tensors that are offloaded come back with others.
    """
    return torch.compiler.is_compiling() or saved_tensors_are_hooked()


class Reading(NamedTuple):
    """How one penalty reads one tensor."""

    term: Elementary
    batch_axis: Axes
    site: str
    gauge: int | None
    keeps: Keeps

    def frame(self, shape: Sequence[int], dtype: torch.dtype, mask: Tensor | None) -> Frame:
        """Return how elements accumulated in `dtype` become one number."""
        return Frame(xp, shape, dtype, self.term.reduce or "sum", self.batch_axis, mask)


class Measure(torch.autograd.Function):
    """The statistic of an array that a penalty is a function of.

    It saves for the backward pass the array itself, its signs in a byte each, or nothing, as the
    penalty says it must, and never touches the module's output. `ctx.saves` says which, because
    the saved tensor does not: an array may look like its signs.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, mask: Tensor | None, reading: Reading) -> tuple[Tensor, ...]:
        dtype = torch.promote_types(x.dtype, torch.float32)
        frame = reading.frame(x.shape, dtype, mask)
        if x.numel() == 0 and reading.term.keeps != "nothing":
            return (x.new_zeros((), dtype=dtype),)
        statistic, kept = reading.term.measure(frame.select(x.to(dtype)), frame)
        return statistic, *kept

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
        x, mask, ctx.reading = inputs
        kept = output[1:]
        if kept:
            ctx.mark_non_differentiable(*kept)
        ctx.set_materialize_grads(False)
        ctx.shape, ctx.dtype = x.shape, x.dtype
        ctx.version = None
        ctx.saves = ctx.reading.keeps
        plain = not (torch.compiler.is_compiling() or is_transformed())
        ctx.mask = mask if plain else None
        match ctx.saves:
            case "input":
                read = x
                if plain and not _must_copy():
                    ctx.version = x._version
            case "sign":
                read = _quick.signs_of(x)
            case "nothing":
                read = None
        ctx.save_for_backward(read, mask, *kept)

    @staticmethod
    def backward(ctx: Any, cotangent: Tensor | None, *_: None) -> tuple[Tensor | None, None, None]:
        if cotangent is None:
            return None, None, None
        if 0 in ctx.shape:
            return cotangent.new_zeros(ctx.shape, dtype=ctx.dtype), None, None
        term: Elementary = ctx.reading.term
        read, mask, *kept = _saved(ctx)
        # half precision would round a gauge's first strength, which is tiny, to 0
        dtype = ctx.dtype if ctx.reading.gauge is None else cotangent.dtype
        gradient = None
        if read is not None and mask is None:
            gradient = _quick.slope(read, ctx.saves, term, cotangent, dtype)
        if gradient is None:
            frame = ctx.reading.frame(ctx.shape, cotangent.dtype, mask)
            x = None if read is None else frame.select(read.to(cotangent.dtype))
            if ctx.saves == "input" and torch.is_grad_enabled():
                # differentiated again: what the statistic kept is a function of x as well
                kept = list(term.measure(x, frame)[1])
            if x is not None and ctx.saves == "sign" and term.slope_is_sign:
                gradient = cotangent * x  # which are the signs
            else:
                gradient = frame.select(term.pullback(x, tuple(kept), cotangent, frame))
        if ctx.reading.gauge is not None:
            gradient = noted(gradient, None, "penalty", ctx.reading.gauge)
        return gradient.to(ctx.dtype), None, None


class MeasureNow(torch.autograd.Function):
    """The same where nothing is transformed or compiled, at a third of what a call costs there."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, mask: Tensor | None, reading: Reading) -> tuple[Tensor, ...]:
        signs = reading.term.keeps == "sign" and not is_saved_anyway(x)
        quick = _quick.read(x, reading.term, signs=signs) if mask is None else None
        if quick is None:
            output = Measure.forward(x, mask, reading)
            Measure.setup_context(ctx, (x, mask, reading), output)
            return output
        statistic, kept = quick
        ctx.set_materialize_grads(False)
        ctx.reading, ctx.shape, ctx.dtype, ctx.mask = reading, x.shape, x.dtype, None
        ctx.saves = "input" if kept is None else "sign"
        compares = kept is None and not saved_tensors_are_hooked()
        ctx.version = x._version if compares else None
        ctx.save_for_backward(x if kept is None else kept, None)
        return (statistic,)

    backward = Measure.backward


# what `apply` does before is to ask for transforms: callers have
_measure_now = super(torch.autograd.Function, MeasureNow).apply


def measure_now(x: Tensor, mask: Tensor | None, reading: Reading) -> Tensor:
    """Return the statistic of `x` in its graph, where nothing is transformed or compiled."""
    statistic: Tensor = _measure_now(x, mask, reading)[0]  # type: ignore[no-untyped-call]
    return statistic


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
        # of one mask several tensors may be made: by a function, or when it was offloaded
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
        f"{ctx.reading.site}: a checkpoint ran the forward again under another mask than the first "
        f"time; call backward within the same `with reg.mask(...)`, or make the mask a function of "
        f"the module's inputs: activity(..., mask=FUNCTION)"
    )


def _changed(ctx: Any) -> RegimeError:
    return RegimeError(
        f"{ctx.reading.site or 'penalty'}: the output was changed in place after "
        f"{ctx.reading.term!r} had read it, and the gradient needs it as it was; keep a copy: "
        f"activity(..., copy=True)"
    )
