"""The same thing of every process."""

from __future__ import annotations

import copy
from typing import TypeVar

import torch.distributed as dist

Thing = TypeVar("Thing")


def of_every_process(mine: Thing, group: dist.ProcessGroup | None) -> list[Thing]:
    """Return `mine` of each process, in their order; every process must call it.

    What it holds must be on the CPU: a tensor of another device would arrive on that of its sender.
    """
    if not (dist.is_available() and dist.is_initialized()):
        return [copy.deepcopy(mine)]
    everyone: list[Thing] = [mine] * dist.get_world_size(group)
    dist.all_gather_object(everyone, mine, group)
    return everyone
