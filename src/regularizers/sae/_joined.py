"""Tensors of several processes that share each batch, joined as if one process had them all."""

from __future__ import annotations

import torch
import torch.distributed as dist
from torch import Tensor

from regularizers.modules import Processes


class Joined:
    """Sums and gathers over the processes of a group; the identity for a single process.

    Args:
        group: the processes; None for this one alone.
    """

    def __init__(self, group: dist.ProcessGroup | None = None) -> None:
        self._group = group
        self.size = 1 if group is None else dist.get_world_size(group)
        self.rank = 0 if group is None else dist.get_rank(group)

    def sum(self, x: Tensor) -> Tensor:
        """Return the sum of `x` over the processes."""
        if self.size > 1:
            x = x.clone()
            dist.all_reduce(x, group=self._group)
        return x

    def gather(self, x: Tensor, dim: int = 0) -> Tensor:
        """Return the tensors of all processes, of equal shapes, side by side along an axis."""
        if self.size == 1:
            return x
        parts = [torch.empty_like(x) for _ in range(self.size)]
        dist.all_gather(parts, x.contiguous(), group=self._group)
        return torch.cat(parts, dim)

    def largest(self, x: Tensor, number: int) -> Tensor:
        """Return the `number` largest of each column over all processes, in falling order."""
        return self.gather(x.topk(min(number, len(x)), dim=0).values).topk(number, dim=0).values


def joined_world() -> Joined:
    """Return the processes that are running: all of them, or this one alone."""
    return Joined(Processes("world").group)
