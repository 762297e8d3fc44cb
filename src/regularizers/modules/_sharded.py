"""Sharded tensors, of which each process has a part."""

from __future__ import annotations

from torch import Tensor
from torch.distributed.tensor import DTensor


def whole(x: Tensor) -> Tensor:
    """Return all of a tensor; every process must ask if it is sharded.

    Args:
        x: a tensor, sharded or not.

    Example:
        >>> import torch
        >>> from regularizers.modules import whole
        >>> x = torch.ones(2)
        >>> whole(x) is x
        True
    """
    return x.full_tensor() if isinstance(x, DTensor) else x
