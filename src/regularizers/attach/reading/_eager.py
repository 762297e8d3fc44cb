"""Kernels that read and differentiate plain tensors, whole or in pieces."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor
from torch.nn import Parameter

from regularizers.penalties import L1, Saves
from regularizers.penalties.kernels import Kernel, empty_beside, kernel_of, pieces, thresholds

_PLAIN = (Tensor, Parameter)
_WIDE = (torch.float32, torch.float64)
_L1 = L1(1.0)


def read(
    x: Tensor, kernel: Kernel, *, signs: bool, totals: dict[str, Tensor] | None = None
) -> tuple[Tensor, Tensor | None] | None:
    """Return the statistic of `x`, and its signs if asked for; None if the kernel cannot.

    A kernel of absolute values also adds the totals of `x` to `totals`.
    """
    size = x.numel()
    if size == 0 or type(x) not in _PLAIN:
        return None
    if size <= thresholds.PIECE:
        wide = x if x.dtype in _WIDE else x.float()
        if kernel.slope_is_sign and (signs or totals is not None):
            return sum_and_signs(wide, totals, signs=signs)
        if not signs:
            return kernel.read_at_once(torch, wide), None
        return kernel.read_at_once(torch, wide), signs_of(wide)
    if not kernel.fits(x):
        return None
    kept = empty_beside(x, torch.int8) if signs else None
    known = totals if kernel.slope_is_sign else None
    counts: list[Tensor] | None = None if known is None or "active" in known else []
    statistic = kernel.read(x, kept, counts)
    if known is not None:
        known["absolute"] = statistic.detach()
        if counts is not None:
            known["active"] = torch.stack(counts).sum()
    return statistic, kept


def gradient(
    saved: Tensor, saves: Saves, kernel: Kernel, cotangent: Tensor, dtype: torch.dtype
) -> Tensor | None:
    """Return the gradient of (statistic · cotangent); None if the kernel cannot.

    Args:
        saved: the array, or its signs.
        saves: whether `saved` is the array or its signs.
        kernel: the kernel of the penalty.
        cotangent: the gradient with respect to the statistic.
        dtype: the type of the gradient that is returned.
    """
    if torch.is_grad_enabled() or torch.compiler.is_compiling() or type(saved) not in _PLAIN:
        return None
    is_slope = saves == "sign" and kernel.slope_is_sign
    if saved.numel() <= thresholds.GRADIENT_AT_ONCE:
        if is_slope:
            # one new buffer; a product of two types would allocate a second
            return saved.to(cotangent.dtype).mul_(cotangent).to(dtype)
        wide = saved.to(cotangent.dtype)
        return cast(Tensor, kernel.gradient_at_once(torch, wide, cotangent)).to(dtype)
    if not kernel.fits(saved):
        return None
    if not is_slope:
        return cast(Tensor, kernel.gradient(saved, cotangent, dtype))
    scaled: Tensor = empty_beside(saved, dtype)
    for piece, into in pieces(saved, scaled):
        into.copy_(piece).mul_(cotangent)
    return scaled


def sum_and_signs(
    x: Tensor, totals: dict[str, Tensor] | None, *, signs: bool
) -> tuple[Tensor, Tensor | None]:
    """Return Σ|x|, and the signs of `x` in a byte each; add both totals of `x` to `totals`."""
    kept = None
    if signs:
        sizes = torch.sign(x)
        kept = sizes.to(torch.int8)
        sizes.mul_(x)
    else:
        sizes = x.abs()
    statistic = sizes.sum()
    if totals is not None:
        totals["absolute"] = statistic.detach()
        if "active" not in totals:
            totals["active"] = sizes.sign_().sum()
    return statistic, kept


def add_totals(x: Tensor, totals: dict[str, Tensor]) -> bool:
    """Add Σ|x| and the number of elements that are not 0, in one pass; return whether it can."""
    kernel = kernel_of(_L1)
    if kernel is None or type(x) is not Tensor or x.numel() == 0 or not kernel.fits(x):
        return False
    counts: list[Tensor] = []
    totals["absolute"] = kernel.read(x, None, counts)
    totals["active"] = torch.stack(counts).sum()
    return True


def signs_of(x: Tensor) -> Tensor:
    """Return the signs of `x`, in a byte each."""
    return torch.sign(x).to(torch.int8)
