"""Plans: the one door to every way of reading an activation.

A tap makes a plan for each shape, dtype and axes, and then calls it. The plan holds the formula
with its axes resolved, its kernel, its frame and its denominator, so none of these is looked up
again. `WAYS` lists all ways to read.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from regularizers.attach.reading import _namespace as xp
from regularizers.attach.reading._functions import (
    Traced,
    read_eagerly,
    statistic_of,
    versions_are_unknown,
)
from regularizers.attach.reading._request import Request
from regularizers.control import Batch
from regularizers.modules import Totals, eager_only, is_saved_anyway, is_transformed
from regularizers.penalties import Formula
from regularizers.penalties.arrays import Axes, Denominator, Frame
from regularizers.penalties.kernels import kernel_of, thresholds


class Way(NamedTuple):
    """One way to read an activation."""

    name: str
    chosen: str
    """The file and function that choose it."""
    when: str
    benchmark: str
    """The group of the benchmark that defends it."""


WAYS = (
    Way(
        "copied, then read together",
        "collect/_tap.py: Collecting._record_plain",
        "a sum over elements of a small output, in an ordinary forward",
        "sites, growth: many small outputs",
    ),
    Way(
        "by autograd's own |x|",
        "reading/_plan.py: Plan.read_eagerly",
        "L1 of an output that autograd saves anyway",
        "steps: the ResNet and the MLP",
    ),
    Way(
        "by a kernel, at once or in pieces",
        "reading/_functions.py: Eager",
        "a formula with a kernel, without a mask",
        "sites: outputs of 2^14 to 2^24 elements",
    ),
    Way(
        "by the formula",
        "reading/_functions.py: Eager",
        "any other formula, a mask, or a tensor that is not plain",
        "none: it is how every formula is defined",
    ),
    Way(
        "traced",
        "reading/_plan.py: Plan.read",
        "within torch.compile and transforms of torch.func",
        "steps: compiled",
    ),
    Way(
        "traced, without a Function",
        "reading/_plan.py: Plan.read",
        "the same for a formula that PyTorch differentiates: its graph is the compiler's to see",
        "none: a Function around torch.func.grad fails within checkpoints",
    ),
    Way(
        "weighted",
        "reading/_tap.py: Tap._read",
        "a rule with weights=, in every regime",
        "none: the weights have a gradient too",
    ),
)


class Plan(NamedTuple):
    """How one penalty reads outputs of one shape and dtype."""

    key: str
    request: Request
    denominator: Denominator
    """For an output without a mask."""
    by_autograd: bool
    """True if autograd's own |x| may be used."""
    batch: Batch | None = None
    """The samples of a target, for an output without a mask."""
    total: str | None = None
    """The total that is all the target measures of an output."""
    measures_statistic: bool = False
    """Whether what the target measures is the statistic itself."""

    def read(self, x: Tensor, mask: Tensor | None = None, window: Tensor | None = None) -> Tensor:
        """Return the statistic of `x`, in its graph; for `window` see `read_eagerly`."""
        if torch.compiler.is_compiling() or is_transformed():
            if self.request.term.differentiated and self.request.gauge is None:
                return statistic_of(x, mask, self.request)[0]
            traced: Tensor = Traced.apply(x, mask, self.request, window)[0]  # type: ignore[no-untyped-call]
            return traced
        return self.read_eagerly(x, mask, window)

    @eager_only
    def read_eagerly(
        self,
        x: Tensor,
        mask: Tensor | None = None,
        window: Tensor | None = None,
        totals: Totals | None = None,
    ) -> Tensor:
        """Return the statistic of `x`; not for compiled or transformed code.

        Args:
            x: the tensor.
            mask: the elements that count.
            window: where a target measures the gradient of the penalty; None for everywhere.
            totals: the known totals of `x`; the one that a target measures is added if it costs
                no second pass.
        """
        if mask is not None or self.total is None:
            totals = None
        if self.by_autograd and mask is None and is_saved_anyway(x):
            # autograd has `x` saved already, and its backward runs no Python
            sizes = x.abs()
            statistic = sizes.sum()
            if totals is not None:
                totals["absolute"] = statistic.detach()
                if self.total == "active" and "active" not in totals:  # a Monitor may have it
                    totals["active"] = sizes.detach().sign_().sum()  # nothing saves the sizes
            return statistic
        read: Tensor = read_eagerly(x, mask, self.request, window, totals)  # type: ignore[no-untyped-call]
        return read

    def divisor(self, x: Tensor, mask: Tensor | None) -> Denominator:
        """Return the denominator for `x` under a mask."""
        if mask is None:
            return self.denominator
        return self.request.term.denominator(self.request.frame(x.shape, _wide(x), mask))


def plan_for(
    key: str,
    x: Tensor,
    term: Formula,
    batch_axis: Axes,
    *,
    site: str = "",
    gauge: int | None = None,
    saved_anyway: bool = False,
) -> Plan:
    """Return the plan of a penalty for tensors of the shape and dtype of `x`.

    Args:
        key: the key of the penalty at its site.
        x: a tensor to be read.
        term: the penalty, its time axis resolved.
        batch_axis: the axes of samples.
        site: the name in messages.
        gauge: the handle of a target's gauge.
        saved_anyway: whether the operation that computed `x` saves it. Compiled code then saves `x`
            instead of its signs, which take time to compute.
    """
    saves, kernel = term.saves, kernel_of(term)
    slope_is_sign = kernel is not None and kernel.slope_is_sign
    if torch.compiler.is_compiling() or is_transformed():
        if saves == "sign" and saved_anyway and torch.compiler.is_compiling():
            saves = "input"  # safe, since autograd checks the version of its own saved tensor
        request = Request(term, batch_axis, site, gauge, saves, None, slope_is_sign)
        return Plan(key, request, term.denominator(request.frame(x.shape, _wide(x), None)), False)
    frame = Frame(xp, x.shape, _wide(x), term.reduce or "sum", batch_axis)
    request = Request(term, batch_axis, site, gauge, saves, kernel, slope_is_sign, frame)
    by_autograd = (
        slope_is_sign
        and gauge is None
        and 0 < x.numel() <= thresholds.BY_AUTOGRAD
        and x.dtype in (torch.float32, torch.float64)
    )
    return Plan(key, request, term.denominator(frame), by_autograd)


def must_copy(term: Formula, copy: bool, *, weighted: bool = False) -> bool:
    """Return whether a penalty must read a copy, since its output may be changed in place.

    Args:
        term: the penalty.
        copy: whether the user wants a copy.
        weighted: whether elements have weights, whose gradient needs the output itself.
    """
    return (weighted or term.saves == "input") and (copy or versions_are_unknown())


def penalise(
    x: Tensor, term: Formula, batch_axis: Axes, mask: Tensor | None = None, *, site: str = ""
) -> Tensor:
    """Return the penalty of `x` for a strength of 1, a scalar in the graph of `x`."""
    plan = plan_for("", x, term, batch_axis, site=site)
    if must_copy(term, copy=False):
        x = x.clone()
    value: Tensor = term.value(plan.read(x, mask), plan.divisor(x, mask), xp)
    return value


def _wide(x: Tensor) -> torch.dtype:
    return torch.promote_types(x.dtype, torch.float32)
