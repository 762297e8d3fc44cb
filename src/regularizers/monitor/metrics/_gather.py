"""Gathers an object of every process."""

from __future__ import annotations

import copy
from typing import TypeVar

import torch.distributed as dist

T = TypeVar("T")


def of_every_process(mine: T, group: dist.ProcessGroup | None) -> list[T]:
    """Return `mine` of each process, in order of rank; every process must call it.

    Its tensors must be on the CPU: others would arrive on the device of their sender.
    """
    if not (dist.is_available() and dist.is_initialized()):
        return [copy.deepcopy(mine)]
    everyone: list[T] = [mine] * dist.get_world_size(group)
    dist.all_gather_object(everyone, mine, group)
    return everyone
