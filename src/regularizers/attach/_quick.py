"""The quickest way to read an array, where nothing records, transforms or compiles it."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from regularizers.attach import _fused
from regularizers.penalties._elementary import Elementary
from regularizers.penalties._pieces import empty_beside, is_large
from regularizers.penalties._piecewise import lies_in_pieces
from regularizers.penalties._separable import Separable


def read(x: Tensor, term: Elementary) -> tuple[Tensor, Tensor | None] | None:
    """Return the statistic of `x`, and its signs where those are kept; None if as any other."""
    if type(x) not in (Tensor, nn.Parameter) or x.numel() == 0:
        return None
    if isinstance(term, Separable) and _fused.is_fused(x):
        return _fused.read(x, term)
    if isinstance(term, Separable):
        if not _is_plain(x, term):
            return term.sum_at_once(x), signs_of(x) if term.keeps == "sign" else None
        signs = empty_beside(x, torch.int8) if term.keeps == "sign" else None
        statistic: Tensor = term.sum_in_pieces(x, signs)
        return statistic, signs
    if is_large(x) and lies_in_pieces(term, x):
        statistic = term.sum_in_pieces(x)
        return statistic, None
    return None


def slope(
    read: Tensor | None, term: Elementary, cotangent: Tensor, dtype: torch.dtype
) -> Tensor | None:
    """Return the gradient of (statistic · cotangent); None if it is to be had as any other."""
    if read is None or torch.compiler.is_compiling() or torch.is_grad_enabled():
        return None
    if isinstance(term, Separable) and _fused.is_fused(read):
        return _fused.slope(read, term, cotangent, dtype)
    if isinstance(term, Separable) and _is_plain(read, term):
        return cast(Tensor, term.slope_in_pieces(read, cotangent, dtype))
    if is_large(read) and lies_in_pieces(term, read):
        return cast(Tensor, term.slope_in_pieces(read, cotangent, dtype))
    return None


def signs_of(x: Tensor) -> Tensor:
    """Return the signs of `x`, in a byte each."""
    return torch.sign(x).to(torch.int8)


def _is_plain(x: Tensor, term: Separable) -> bool:
    """Return whether `x` can be read and written in pieces, or as the one piece that it is."""
    return (x.is_cpu and x.is_contiguous()) or term.lies_in_pieces(x)
