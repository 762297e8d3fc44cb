"""The quickest way to read an array, where nothing records, transforms or compiles it."""

from __future__ import annotations

from typing import TypeGuard

import torch
from torch import Tensor, nn

from regularizers.attach import _fused
from regularizers.penalties._elementary import Elementary
from regularizers.penalties._pieces import are_large, lie_plainly, pieces
from regularizers.penalties._piecewise import lies_in_pieces
from regularizers.penalties._separable import Separable


def read(x: Tensor, term: Elementary) -> tuple[Tensor, Tensor | None] | None:
    """Return the statistic of `x`, and its signs where those are kept; None if as any other."""
    if type(x) not in (Tensor, nn.Parameter) or x.numel() == 0:
        return None
    if isinstance(term, Separable) and _fused.is_fused(x):
        return _fused.read(x, term)
    large, keeps = are_large(x), term.keeps
    if isinstance(term, Separable) and not large:
        statistic: Tensor = term.sum_at_once(x)
    elif large and lies_in_pieces(term, x):
        statistic = term.sum_in_pieces(x)
    else:
        return None
    return statistic, signs(x) if keeps == "sign" else None


def slope(
    read: Tensor | None, term: Elementary, cotangent: Tensor, dtype: torch.dtype
) -> Tensor | None:
    """Return the gradient of (statistic · cotangent); None if it is to be had as any other."""
    if read is None or torch.compiler.is_compiling() or torch.is_grad_enabled():
        return None
    if isinstance(term, Separable) and _fused.is_fused(read):
        return _fused.slope(read, term, cotangent, dtype)
    if are_large(read) and lies_in_pieces(term, read):
        gradient: Tensor = term.slope_in_pieces(read, cotangent, dtype)
        return gradient
    return None


def signs(x: Tensor) -> Tensor:
    """Return the signs of `x`, in a byte each."""
    if not (_is_large(x) and lie_plainly(x)):
        return torch.sign(x).to(torch.int8)
    result = torch.empty_like(x, dtype=torch.int8)
    for piece, into in pieces(x, result):
        into.copy_(torch.sign(piece))
    return result


def _is_large(x: Tensor) -> TypeGuard[Tensor]:
    """Return whether `x` is worth reading in pieces: nothing records what is made of it."""
    return not torch.compiler.is_compiling() and not torch.is_grad_enabled() and are_large(x)
