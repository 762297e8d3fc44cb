"""The penalties of rules by their plain formulas, independent of the library."""

from __future__ import annotations

import dataclasses
import math
from typing import NamedTuple

import torch
from torch import Tensor

import regularizers as rz
from fuzz.case import RuleSpec
from fuzz.weights import Weight
from penalties.oracle import plain

_OF_NORMS = {"l1": rz.L1, "l2": rz.L2Norm, "l2_squared": rz.L2Squared}


class Element(NamedTuple):
    """One elementary penalty: its name in the log, and whether it is one of changes in time."""

    name: str
    penalty: rz.Penalty
    in_time: bool = False
    time_axis: int | None = None


def elements(penalty: rz.Penalty) -> list[Element]:
    """Return the elementary penalties that a penalty is the sum of."""
    match penalty:
        case rz.L1L2(l1=l1, l2=l2, reduce=reduce, batch_axis=axis):
            kinds = [rz.L1(l1), rz.L2Squared(l2)]
            parts = [dataclasses.replace(k, reduce=reduce, batch_axis=axis) for k in kinds]
            return [Element(type(part).__name__, part) for part in parts]
        case rz.ActivityRegularization(strength=s, norm=norm, reduce=reduce, batch_axis=axis):
            of = _OF_NORMS[norm](s, reduce=reduce, batch_axis=axis)
            return [Element(type(of).__name__, of)]
        case rz.AR(alpha=alpha):
            return [Element("L2Squared", rz.L2Squared(alpha, reduce="mean"))]
        case rz.TAR(beta=beta, time_axis=axis):
            return elements(rz.Temporal(rz.L2Squared(beta, reduce="mean"), axis))
        case rz.Temporal(penalty=of, time_axis=axis):
            return [e._replace(in_time=True, time_axis=axis) for e in elements(of)]
    if hasattr(penalty, "parts"):
        return [element for part in penalty.parts for element in elements(part)]
    return [Element(type(penalty).__name__, penalty)]


def settled(element: Element, rule: RuleSpec, batch_axis: int | tuple[int, ...]) -> Element:
    """Return the penalty with the reduction and batch axis it has at a site."""
    penalty = element.penalty
    default = "batch_mean" if rule.kind == "activity" else "sum"
    axis = penalty.batch_axis if penalty.batch_axis is not None else rule.batch_axis
    penalty = dataclasses.replace(
        penalty,
        reduce=penalty.reduce or rule.reduce or default,
        batch_axis=None
        if isinstance(penalty, rz.Orthogonal)
        else batch_axis
        if axis is None
        else axis,
    )
    return element._replace(penalty=penalty)


def value(element: Element, x: Tensor, mask: Tensor | None, time_axis: int | None) -> Tensor:
    """Return the penalty of `x`, of which a mask over its leading axes may say what counts."""
    if isinstance(element.penalty, rz.Budget):
        of, budget = element.penalty, element.penalty.budget
        unit = dataclasses.replace(of.penalty, reduce=of.reduce, batch_axis=of.batch_axis)
        spent = value(element._replace(penalty=unit), x, mask, time_axis)
        return of.strength * torch.relu(spent - budget)
    if mask is not None:
        mask = mask.reshape(mask.shape + (1,) * (x.ndim - mask.ndim)).expand(x.shape)
    if element.in_time:
        axis = time_axis if element.time_axis is None else element.time_axis
        steps = x.shape[axis]
        x = x.diff(dim=axis)
        if mask is not None:
            mask = mask.narrow(axis, 1, steps - 1) & mask.narrow(axis, 0, steps - 1)
        if x.numel() == 0:
            return 0 * x.sum()
    return plain(element.penalty, x) if mask is None else _masked(element.penalty, x, mask)


def of_weight(element: Element, weight: Weight) -> Tensor:
    """Return the penalty of a weight, whose axes it may name by their role."""
    penalty = element.penalty
    inner = penalty.penalty if isinstance(penalty, rz.Budget) else penalty
    side = getattr(inner, "axis", None)
    if not isinstance(side, str):
        return value(element, weight.tensor, None, None)
    inner = dataclasses.replace(inner, axis=0)
    by_number = inner
    if isinstance(penalty, rz.Budget):
        by_number = dataclasses.replace(penalty, penalty=inner)
    return value(element._replace(penalty=by_number), weight.by_unit(side), None, None)


def _masked(penalty: rz.Penalty, x: Tensor, mask: Tensor) -> Tensor:
    """Return the penalty of what a mask lets count, of penalties that are 0 at 0."""
    if penalty.reduce == "mean":
        assert not isinstance(penalty, (rz.L2Norm, rz.GroupLasso, rz.KLSparsity, rz.Hoyer))
        penalty = dataclasses.replace(penalty, batch_axis=None)  # of single elements
        return plain(penalty, x[mask]) if mask.any() else 0 * x.sum()
    kept = torch.where(mask, x, 0.0)
    if penalty.reduce == "sum":
        return plain(penalty, kept)
    axes = penalty.batch_axis if isinstance(penalty.batch_axis, tuple) else (penalty.batch_axis,)
    rows = mask.movedim(axes, tuple(range(len(axes))))
    rows = rows.reshape(math.prod(rows.shape[: len(axes)]), -1)
    # the plain mean counts all samples
    return plain(penalty, kept) * len(rows) / max(int(rows.any(dim=1).sum()), 1)


def shrunk(penalty: rz.Penalty, w: Tensor, step: float) -> Tensor:
    """Return the proximal step of a penalty that is summed."""
    match penalty:
        case rz.L1(strength=s):
            return w.sign() * (w.abs() - step * s).clamp(min=0)
        case rz.L2Squared(strength=s):
            return w / (1 + 2 * step * s)
        case rz.GroupLasso(strength=s, axis=0):
            norms = w.flatten(1).norm(dim=1).reshape(-1, *[1] * (w.ndim - 1))
            return w * (1 - step * s / norms.clamp(min=1e-300)).clamp(min=0)
    raise NotImplementedError(penalty)
