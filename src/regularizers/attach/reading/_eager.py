"""The quickest way to read an array, where nothing records, transforms or compiles it."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor
from torch.nn import Parameter

from regularizers.attach.reading import _gpu as _fused
from regularizers.penalties import Elementary, Keeps, Separable, is_separable
from regularizers.penalties.kernels import PIECE, empty_beside, lies_in_pieces, pieces

_WIDE = (torch.float32, torch.float64)

AT_ONCE = 2 * PIECE
"""Elements up to which a gradient is written at once: pieces take longer, fresh memory or not."""


def read(x: Tensor, term: Elementary, *, signs: bool) -> tuple[Tensor, Tensor | None] | None:
    """Return the statistic of `x`, and its signs if asked for; None if as any other."""
    size, kind = x.numel(), type(x)
    if size == 0 or not (kind is Tensor or kind is Parameter):
        return None
    if is_separable(term):
        if _fused.is_fused(x):
            return _fused.read(x, term, signs=signs)
        if size <= PIECE:
            return _read_at_once(x, term, signs)
    elif size <= PIECE:
        return None
    if lies_in_pieces(term, x):
        kept = empty_beside(x, torch.int8) if signs else None
        return term.sum_in_pieces(x, kept), kept
    return None


def _read_at_once(x: Tensor, term: Separable, signs: bool) -> tuple[Tensor, Tensor | None]:
    wide = x if x.dtype in _WIDE else x.float()
    if not signs:
        return term.sum_of(torch, wide.reshape(-1), None), None
    if term.slope_is_sign:
        return sum_and_signs(wide)
    return term.sum_of(torch, wide.reshape(-1), None), signs_of(wide)


def sum_and_signs(x: Tensor) -> tuple[Tensor, Tensor]:
    """Return Σ|x|, and the signs of `x` in a byte each."""
    signs = torch.sign(x)
    kept = signs.to(torch.int8)
    return signs.mul_(x).sum(), kept


def slope(
    read: Tensor, saved: Keeps, term: Elementary, cotangent: Tensor, dtype: torch.dtype
) -> Tensor | None:
    """Return the gradient of (statistic · cotangent); None if it is to be had as any other.

    Args:
        read: the array, or its signs.
        saved: which of the two.
        term: the penalty.
        cotangent: of its statistic.
        dtype: of the gradient.
    """
    if torch.is_grad_enabled() or torch.compiler.is_compiling():
        return None
    size, is_slope = read.numel(), saved == "sign" and term.slope_is_sign
    if is_separable(term):
        if _fused.is_fused(read):
            return _fused.slope(read, term, cotangent, dtype)
        if size <= AT_ONCE:
            return _slope_at_once(read, saved, term, cotangent).to(dtype)
    if size > PIECE and lies_in_pieces(term, read):
        if is_slope:
            return _scaled_in_pieces(read, cotangent, dtype)
        return cast(Tensor, term.slope_in_pieces(read, cotangent, dtype))
    return None


def signs_of(x: Tensor) -> Tensor:
    """Return the signs of `x`, in a byte each."""
    return torch.sign(x).to(torch.int8)


def _slope_at_once(read: Tensor, saved: Keeps, term: Separable, cotangent: Tensor) -> Tensor:
    if saved == "sign" and term.slope_is_sign:
        return scaled_signs(read, cotangent)
    wide = read.to(cotangent.dtype)
    if term.slope_is_sign:
        return torch.sign(wide).mul_(cotangent)
    slope: Tensor = term.slope_of(torch, wide, None)
    return slope * (cotangent * term.times)


def scaled_signs(signs: Tensor, cotangent: Tensor) -> Tensor:
    """Return `signs` times the cotangent: the gradient of (Σ|x| · cotangent)."""
    # one fresh buffer: a product of two types would make a second
    return signs.to(cotangent.dtype).mul_(cotangent)


def _scaled_in_pieces(signs: Tensor, cotangent: Tensor, dtype: torch.dtype) -> Tensor:
    """Return the same for a large array, of the type `dtype`."""
    gradient: Tensor = empty_beside(signs, dtype)
    for piece, into in pieces(signs, gradient):
        into.copy_(piece).mul_(cotangent)
    return gradient
