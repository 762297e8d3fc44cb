"""The n largest elements over all processes, by a radix selection on their bits.

The bits of a positive float, read as an integer, are in the order of the floats. A few sums of
histograms over the processes, from the highest digits to the lowest, find the cut exactly.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.distributed as dist
from torch import Tensor

_INTEGERS = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}

_DIGIT = 11
"""The most bits of a digit: a histogram of 2048 numbers, three of them for float32."""


class _Cut(NamedTuple):
    """The least element that is selected."""

    key: int
    ties: int
    """How many elements of all processes are equal to it."""
    taken: int
    """How many of these are selected."""
    own_ties: int
    """How many of these this process has."""


def largest_of_processes(
    z: Tensor, k: float, samples: int, group: dist.ProcessGroup
) -> tuple[Tensor, Tensor]:
    """Return the positive ones of this process among the k·N largest of all; and the least of all.

    Every process of the group must call it. Of elements that tie for the last place those of the
    lower ranks are selected. The least is NaN if none is positive; it is the same in all processes.

    Args:
        z: the elements of this process, maybe none.
        k: how many are selected for each sample in the mean, the same in all processes.
        samples: how many samples this process has.
        group: the processes that share the batch.
    """
    integers = _INTEGERS[z.dtype.itemsize]
    keys = z.contiguous().view(integers).clamp(min=0).reshape(-1)  # the sign is the highest bit
    cut = _find(keys, k, samples, group)
    if cut is None:
        return z.relu() * 0, z.new_full((), math.nan)
    kept = keys >= cut.key
    if cut.ties > cut.taken:
        is_tie = keys == cut.key
        kept &= ~is_tie | (is_tie.cumsum(0) <= _own_share(cut, keys.device, group))
    least = torch.tensor([cut.key], dtype=integers, device=z.device).view(z.dtype)[0]
    return z.relu() * kept.view(z.shape), least


def _find(keys: Tensor, k: float, samples: int, group: dist.ProcessGroup) -> _Cut | None:
    """Return the cut; None if nothing is positive or nothing is to be selected."""
    bits = 8 * keys.element_size() - 1
    rounds = math.ceil(bits / _DIGIT)
    width = math.ceil(bits / rounds)
    candidates, found, left = keys[keys > 0], 0, 0
    for number in range(rounds):
        shift = width * (rounds - 1 - number)
        digits = (candidates >> shift) & (2**width - 1)
        own = torch.bincount(digits, minlength=2**width)
        counts = torch.cat([own, own.new_tensor([samples])])
        dist.all_reduce(counts, group=group)
        *each, all_samples = counts.tolist()
        if number == 0:
            left = min(round(k * all_samples), sum(each))
            if left == 0:
                return None
        digit = 2**width - 1
        while each[digit] < left:
            left -= each[digit]
            digit -= 1
        found = (found << width) | digit
        candidates = candidates[digits == digit]
    return _Cut(found, each[digit], left, int(own[digit]))


def _own_share(cut: _Cut, device: torch.device, group: dist.ProcessGroup) -> int:
    """Return how many of the elements that tie for the last place this process selects."""
    rank = dist.get_rank(group)
    ties = torch.zeros(dist.get_world_size(group), dtype=torch.int64, device=device)
    ties[rank] = cut.own_ties
    dist.all_reduce(ties, group=group)
    before = int(ties[:rank].sum())
    return min(max(cut.taken - before, 0), cut.own_ties)
