"""Nested tensors, which hold sequences of unequal lengths without padding."""

from __future__ import annotations

import torch
from torch import Tensor

from regularizers.errors import OutputError
from regularizers.penalties import L2Norm
from regularizers.penalties._elementary import Elementary
from regularizers.penalties._frame import Axes
from regularizers.penalties._separable import Separable

_CURE = (
    "pad it, and say what is padding: activity(..., select=lambda y: y.to_padded_tensor(0.0)), and "
    "around the forward `with reg.mask(valid, where=...)`"
)


def check_nested(x: Tensor, term: Elementary, batch_axis: Axes, target: bool, site: str) -> None:
    """Raise unless a penalty of a nested tensor is exact.

    That is a sum over elements, divided by nothing that depends on the lengths.

    Raises:
        OutputError: another penalty, or one whose strength has a target.
    """
    axes = batch_axis if isinstance(batch_axis, tuple) else (batch_axis,)
    lengths = x._ragged_idx  # type: ignore[attr-defined]
    is_counted = term.reduce == "mean" or (
        term.reduce == "batch_mean" and any(axis % x.ndim == lengths for axis in axes)
    )
    is_norm = isinstance(term, L2Norm) and term.reduce == "sum"
    if target or is_counted or not (isinstance(term, Separable) or is_norm):
        raise OutputError(
            f"{site}: the output is a nested tensor of {x.ndim} axes, of which {term!r} cannot be "
            f"read; L1, L2Squared and other sums over elements can, with 'sum' or, over sequences, "
            f"'batch_mean'; for this one {_CURE}"
        )


def check_readable(x: Tensor, site: str) -> None:
    """Raise unless a nested tensor lies as `layout=torch.jagged`.

    Raises:
        OutputError: it has no shape.
    """
    if x.layout != torch.jagged:
        raise OutputError(
            f"{site}: the output is a nested tensor without a shape, of which nothing can be read; "
            f"make it with layout=torch.jagged, or {_CURE}"
        )


def refuse_nested(x: Tensor, what: str, site: str) -> None:
    """Raise if `x` is a nested tensor.

    Args:
        x: an output.
        what: what cannot read it.
        site: its name.

    Raises:
        OutputError: it is one.
    """
    if x.is_nested:
        raise OutputError(
            f"{site}: {what} cannot read a nested tensor, got one of {x.dim()} axes; {_CURE}"
        )
