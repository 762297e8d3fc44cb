"""The check that a penalty of a nested tensor is exact."""

from __future__ import annotations

from torch import Tensor

from regularizers.errors import OutputError
from regularizers.modules import PADDED
from regularizers.penalties import ElementwiseTerm, Formula, L2Norm
from regularizers.penalties.arrays import Axes


def check_nested(x: Tensor, term: Formula, batch_axis: Axes, target: bool, site: str) -> None:
    """Raise unless a penalty of a nested tensor is exact.

    A sum over elements is exact unless its denominator depends on the lengths.

    Raises:
        OutputError: another penalty, or one whose strength has a target.
    """
    axes = batch_axis if isinstance(batch_axis, tuple) else (batch_axis,)
    lengths = x._ragged_idx  # type: ignore[attr-defined]
    is_counted = term.reduce == "mean" or (
        term.reduce == "batch_mean" and any(axis % x.ndim == lengths for axis in axes)
    )
    is_norm = isinstance(term, L2Norm) and term.reduce == "sum"
    if target or is_counted or not (isinstance(term, ElementwiseTerm) or is_norm):
        raise OutputError(
            f"{site}: the output is a nested tensor of {x.ndim} axes, for which {term!r} is not "
            f"exact; L1, L2Squared and other sums over elements are, with 'sum' or, over "
            f"sequences, 'batch_mean'; for this one {PADDED}"
        )
