"""What layers of sparse codes ask of their input, and how they read it in rows."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from regularizers.errors import ArrayTypeError, ShapeError
from regularizers.penalties.kernels import kept_buffer, lie_plainly, thresholds


def check_pre_activations(layer: nn.Module, z: Tensor, units: int | None = None) -> None:
    """Raise unless `z` is real floating point, and its last axis numbers the units.

    Args:
        layer: the layer that was called, for messages.
        z: its input.
        units: the length of the last axis; None: any.
    """
    name = type(layer).__name__
    if not z.is_floating_point():
        raise ArrayTypeError(
            f"{name}: expected a tensor of a real floating type, got {z.dtype}; convert it first, "
            f"for example with z.float()"
        )
    if z.ndim == 0 or (units is not None and z.shape[-1] != units):
        wanted = "units" if units is None else f"{units} units"
        raise ShapeError(
            f"{name}: expected pre-activations (..., {wanted}), got shape {tuple(z.shape)}; the "
            f"last axis numbers the units"
        )


def lie_in_rows(x: Tensor, *others: Tensor) -> bool:
    """Return whether tensors of one shape and type can be read in rows, outside of any graph."""
    if torch.compiler.is_compiling():
        return False  # the compiler fuses the formula
    return (
        all(each.dtype == x.dtype for each in others)
        and x.dtype in (torch.float32, torch.float64)
        and x.shape[-1] > 0
        and lie_plainly(x, *others)
        and all(each.is_contiguous() for each in (x, *others))
    )


def rows(x: Tensor, *others: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """Yield as many rows at a time as fit into the cache, of tensors that `lie_in_rows`.

    A row is of the last axis. The pieces are views, the last of them a buffer that all share.
    """
    units = x.shape[-1]
    some = max(thresholds.ROWS // units, 1)
    buffer = kept_buffer(torch, x.dtype, some * units).view(some, units)
    flat = [each.reshape(-1, units) for each in (x, *others)]
    for start in range(0, len(flat[0]), some):
        pieces = [each[start : start + some] for each in flat]
        yield *pieces, buffer[: len(pieces[0])]
