"""The sum of absolute values of an output, with no more around it than must be.

Between large operations the processor has forgotten where Python is, so that of outputs of a
middling size the calls cost more than the reading.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from regularizers.attach.reading import _eager as _quick
from regularizers.attach.reading import _gpu as _fused
from regularizers.modules import is_saved_anyway
from regularizers.penalties import Elementary

_MIDDLING = 2**19
"""Elements above which memory costs more than calls."""


def is_sum_of_absolute(x: Tensor, term: Elementary) -> bool:
    """Return whether the statistic of `x` is best read by `sum_of_absolute`."""
    return (
        term.slope_is_sign
        and 0 < x.numel() <= _MIDDLING
        and x.dtype in (torch.float32, torch.float64)
        and not _fused.is_fused(x)
    )


def sum_of_absolute(x: Tensor) -> Tensor:
    """Return Σ|x| in the graph of `x`, where nothing is transformed, compiled or hooked."""
    if is_saved_anyway(x):
        return x.abs().sum()  # keeps `x`, which costs nothing, and has its gradient without Python
    value: Tensor = _with_signs(x)  # type: ignore[no-untyped-call]
    return value


class WithSigns(torch.autograd.Function):
    """Σ|x|, of which only the signs are kept, in a byte each."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        value, signs = _quick.sum_and_signs(x)
        ctx.save_for_backward(signs)
        return value

    @staticmethod
    def backward(ctx: Any, cotangent: Tensor) -> Tensor:
        (signs,) = ctx.saved_tensors
        return _quick.scaled_signs(signs, cotangent)


# what `apply` does before is to ask for transforms
_with_signs = super(torch.autograd.Function, WithSigns).apply
