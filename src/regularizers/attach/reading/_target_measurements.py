"""Measurements at a site with a target: its quantity, and the gradient of the loss."""

from __future__ import annotations

import math
import warnings
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from regularizers.attach.reading import _gauge
from regularizers.attach.reading import _namespace as xp
from regularizers.attach.reading._eager import add_totals, signs_of
from regularizers.attach.reading._ops import gauge_gradient
from regularizers.control import Batch, Target, TargetActive, TargetMean, TargetNorm
from regularizers.errors import ConfigurationError
from regularizers.modules import Activation, Totals, describe, is_saved_anyway, is_transformed
from regularizers.penalties import L0, Difference, Formula, L2Norm
from regularizers.penalties.arrays import Frame, widen

CHANNELS_SECOND = (
    nn.modules.conv._ConvNd,
    nn.modules.batchnorm._NormBase,
    nn.modules.pooling._MaxPoolNd,
    nn.modules.pooling._AvgPoolNd,
)
"""Modules whose three axes are (batch, channels, length)."""


def batch_of(activation: Activation, term: Formula, site: str, mask: Tensor | None = None) -> Batch:
    """Return how many samples and elements the target of `term` counts in an activation.

    A Monitor counts the same: where the module knows its time axis, each step of each sequence is a
    sample.

    Raises:
        ConfigurationError: the target cannot be reached with so few units.
    """
    target, x = term.strength, activation.x
    assert isinstance(target, Target)
    dtype = torch.promote_types(x.dtype, torch.float32)
    frame = Frame(xp, x.shape, dtype, "sum", activation.sample_axes(term.batch_axis), mask)
    target.check(math.prod([x.shape[axis] for axis in frame.units]), site)
    return Batch(frame)


def measured_part(activation: Activation, term: Formula) -> Activation:
    """Return what the target of `term` measures: the output, or its differences in time."""
    if not isinstance(term, Difference):
        return activation
    x, axes, mask = activation[:3]
    axes = axes if term.batch_axis is None else term.batch_axis
    frame = Frame(xp, x.shape, x.dtype, "sum", axes, mask)
    differences, between = term.differences(x.detach(), frame)
    assert term.time_axis is not None
    return Activation(differences, axes, between.mask, term.time_axis % x.ndim)


Amount: TypeAlias = tuple[Tensor, Tensor | float]
"""The sum and the count that a target measures."""

_TOTALS = {TargetMean: "absolute", TargetActive: "active"}
"""The total of an output that a target measures, by its exact type."""


def total_measured(target: Target) -> str | None:
    """Return the name of the total that is all a target measures of an output; None of others."""
    if type(target) is TargetActive and target.threshold:
        return None
    return _TOTALS.get(type(target))


def is_statistic(term: Formula, frame: Frame | None, target: Target, batch: Batch) -> bool:
    """Return whether a target measures what the penalty computes.

    These are the norms of the samples, and the sum of gates, which are 0 or 1.
    """
    if frame is not None and type(term) is L0 and type(target) is TargetActive:
        return target.threshold < 1
    if frame is None or type(term) is not L2Norm or type(target) is not TargetNorm:
        return False
    return frame.reduce == "batch_mean" and () != frame.units == batch.unit_axes


def amount_of(
    x: Tensor, target: Target, batch: Batch, site: str, totals: Totals | None = None
) -> Amount:
    """Return the sum and the count that a target measures of `x`; `totals` are of all of `x`."""
    wanted = total_measured(target)
    if (
        totals is not None
        and wanted is not None
        and ({wanted, "absolute"} <= totals.keys() or add_totals(x.detach(), totals))
    ):
        # NaN if an element is not finite
        total = totals[wanted].add(totals["absolute"], alpha=0)
        return total, batch.samples if target.is_per_sample else batch.elements
    with torch.no_grad():
        wide = widen(xp, x.detach())
        if batch.valid is not None:
            wide = xp.where(batch.valid, wide, xp.zeros_like(wide))
        version = _version_of(wide)
        total, count = _checked(target.measure(wide, batch), target, site)
        if version != _version_of(wide):
            raise ConfigurationError(
                f"{site}: {type(target).__name__}.measure: expected a function that leaves its "
                f"array as it is, got one that writes into it, which may be the output of the "
                f"module; make a new array"
            )
        return total, count


def _version_of(x: Tensor) -> int | None:
    """Return how often `x` was written; None where that is not counted."""
    return None if torch.compiler.is_compiling() or x.is_inference() else x._version


def _checked(measured: object, target: Target, site: str) -> Amount:
    """Return the sum and the count; raise if `measured` is anything else."""
    if isinstance(measured, tuple) and len(measured) == 2:
        total, count = measured
        if _is_real(total) and (_is_real(count) or isinstance(count, (int, float))):
            return total, count
    raise ConfigurationError(
        f"{site}: {type(target).__name__}.measure: expected a sum and a count, tensors of 0 "
        f"dimensions, got {describe(measured)}; return for example (batch.xp.sum(x), batch.samples)"
    )


def _is_real(x: object) -> bool:
    return isinstance(x, Tensor) and x.ndim == 0 and not x.is_complex()


def is_ambiguous(activation: Activation, term: Formula) -> bool:
    """Return whether three axes may be (batch, tokens, width), and the target depends on it."""
    if isinstance(term, Difference):  # its time axis is known
        return False
    if isinstance(term.strength, Target) and not term.strength.is_per_sample:
        return False
    x, axes, _, time = activation[:4]
    return x.ndim == 3 and axes == 0 and time is None and term.batch_axis is None


# warns once, when a program is compiled
@torch.compiler.assume_constant_result  # type: ignore[untyped-decorator]
def warn_of_assumed_samples(site: str, target: str) -> None:
    """Warn that the first of three axes was assumed to count samples."""
    warnings.warn(
        f"{site}: {target} measures an output of three axes; the first was taken for the samples "
        f"and every element of the other two for a unit; say which axes count samples: "
        f"batch_axis=(0,) for the first as now, (1,) if the batch comes second, or (0, 1) if each "
        f"token is a sample, as in activity(..., batch_axis=(0, 1))",
        stacklevel=2,
    )


def is_kept(x: Tensor) -> bool:
    """Return whether autograd keeps `x` anyway, outside of compiled and transformed code."""
    return not (torch.compiler.is_compiling() or is_transformed()) and is_saved_anyway(x)


def counted_of(x: Tensor, activation: Activation | None, window: Tensor | None) -> Tensor:
    """Return a tensor that is 0 where a penalty has no gradient, kept until the backward pass.

    It is 0 at zeros of `x`, outside of a window, and where masked. It is `x` itself if autograd
    keeps it too, else in a byte each.
    """
    if activation is None or activation.mask is None or activation.padded_from is not None:
        if window is not None:
            return window
        return x.detach() if is_kept(x) else signs_of(x.detach())
    counted = signs_of(x.detach()) if window is None else window
    frame = Frame(xp, x.shape, x.dtype, "sum", activation.batch_axis, activation.mask)
    selected: Tensor = frame.select(counted)
    return selected


def measure_gradient(
    gradient: Tensor, counted: Tensor | None, source: _gauge.GradientSource, handle: int
) -> Tensor:
    """Return `gradient` after adding its squared norm to a gauge."""
    if torch.compiler.is_compiling():
        # using its result keeps the compiler from removing it
        result: Tensor = gauge_gradient(gradient, counted, source, handle)
        return result
    _gauge.add_gradient(gradient, counted, source, handle)
    return gradient


class _Traced(torch.autograd.Function):
    """The identity of `x`; backward measures the gradient of the loss."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, counted: Tensor, gauges: tuple[int, ...]) -> Tensor:
        # compilers need a tensor that shares nothing
        return x.clone()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        _, counted, ctx.gauges = inputs
        ctx.save_for_backward(counted)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        return _measured(ctx, gradient), None, None


class _Eager(torch.autograd.Function):
    """`_Traced` without compilers, at a third of the cost of a call, and without a copy."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, counted: Tensor, gauges: tuple[int, ...]) -> Tensor:
        ctx.gauges = gauges
        ctx.save_for_backward(counted)
        # autograd forbids in-place changes to a view that a Function returns, as `x` itself would
        # be; detached it is none
        return x.detach()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        return _measured(ctx, gradient), None, None


# skips Function.apply's functorch check; the caller did it
_apply_eagerly = super(torch.autograd.Function, _Eager).apply


def measure_loss_gradient(x: Tensor, counted: Tensor, gauges: tuple[int, ...]) -> Tensor:
    """Return a tensor equal to `x`, whose gradient the gauges measure where `counted` is not 0.

    No transform of `torch.func` may be running.
    """
    apply: Any = _Traced.apply if torch.compiler.is_compiling() else _apply_eagerly
    gauged: Tensor = apply(x, counted, gauges)
    return gauged


def _measured(ctx: Any, gradient: Tensor) -> Tensor:
    (counted,) = ctx.saved_tensors
    for gauge in ctx.gauges:
        gradient = measure_gradient(gradient, counted, "loss", gauge)
    return gradient
