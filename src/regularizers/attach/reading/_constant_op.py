"""Custom operator that makes a constant tensor; opaque to the compiler, which cannot read bytes."""

from __future__ import annotations

import torch
from torch import Tensor

from regularizers.penalties.arrays import torch_constant


@torch.library.custom_op("regularizers::constant", mutates_args=())
def compiled_constant(
    numbers: str, rows: int, columns: int, dtype: torch.dtype, device: torch.device
) -> Tensor:
    """Return a matrix of numbers that are given as `constant` takes them."""
    made: Tensor = torch_constant(numbers, (rows, columns), dtype, device)
    return made


@compiled_constant.register_fake
def _(numbers: str, rows: int, columns: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    return torch.empty((rows, columns), dtype=dtype, device=device)
