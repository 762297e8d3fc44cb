"""The last sample on which each unit was active."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from regularizers.monitor.metrics._block import Block, widest
from regularizers.monitor.metrics._reductions import Reduction


class _Numbers(NamedTuple):
    """The number of the last active sample of a block by unit, or codes that hold it."""

    numbers: Tensor
    """(1, units): from 1, 0 for none; or (n, 1, units), powers of 4 added, for each 64 samples."""
    are_codes: bool
    seen: Tensor | int
    """How many samples of the block count, for each unit."""


@dataclass(frozen=True)
class LastActive(Reduction):
    r"""The number of the last sample on which each unit exceeds a threshold; (units,), int64.

    It counts the samples that count for the unit, from 1; 0 is none. On a CPU it is read off the
    exponents of

    .. math:: s_u = \sum_r 4^r \, [|x_{ru}| > \theta] \in [4^k, \tfrac43 \cdot 4^k)

    where k is the last sample of 64 on which the unit is active. So it is one product of matrices,
    of which no rounding changes an exponent.
    """

    threshold: float

    def of(self, block: Block) -> _Numbers:
        """Return the numbers within a block."""
        active, valid = block.indicator(self.threshold), block.valid
        rows = active.shape[0]
        if block.is_plain and valid is None:
            return _Numbers(_codes(active), True, rows)
        if block.is_plain:
            row = _decoded([_codes(active)], (rows,))
        else:
            numbers = torch.arange(1, rows + 1, device=active.device)[:, None]
            row = (active * numbers.to(widest(active.device))).amax(dim=0).to(torch.int64)
        if valid is None:
            return _Numbers(row[None], False, rows)
        upto = valid.cumsum(dim=0)
        number = upto.expand(active.shape).gather(0, (row - 1).clamp(min=0)[None])
        return _Numbers(torch.where(row > 0, number, 0), False, upto[-1])

    def joined(self, parts: Sequence[_Numbers]) -> Tensor:
        """Return the numbers among all samples."""
        if parts[0].are_codes:
            sizes = tuple([int(part.seen) for part in parts])
            return _decoded([part.numbers for part in parts], sizes)
        last, seen = parts[0].numbers[0], parts[0].seen
        for part in parts[1:]:
            last = torch.where(part.numbers[0] > 0, part.numbers[0] + seen, last)
            seen = seen + part.seen
        return last


def _decoded(parts: Sequence[Tensor], sizes: tuple[int, ...]) -> Tensor:
    """Return the number of the last row, of the codes of blocks with `sizes` rows; (units,)."""
    codes = torch.cat(list(parts)) if len(parts) > 1 else parts[0]
    # half of the exponent: 1 for the first row, and 0 for no row
    numbers = torch.bitwise_right_shift(codes.view(torch.int32), 24)
    if codes.shape[0] == 1:
        return numbers.view(-1).to(torch.int64)
    # where there is none, nothing comes before it either
    return torch.addcmul(numbers, numbers.sign(), _starts(sizes)).amax(dim=(0, 1)).to(torch.int64)


_ROWS = 64
"""Samples whose powers of 4 are added in float32, which has 127 of them."""


@functools.lru_cache(maxsize=16)
def _starts(sizes: tuple[int, ...]) -> Tensor:
    """Return how many samples come before each code, of blocks of these sizes; (n, 1, 1)."""
    ends = itertools.accumulate(sizes, initial=0)
    starts = [
        n for end, size in zip(ends, sizes, strict=False) for n in range(end, end + size, _ROWS)
    ]
    with torch.inference_mode(False):
        return torch.tensor(starts, dtype=torch.int32, device="cpu")[:, None, None]


def _codes(active: Tensor) -> Tensor:
    """Return the sums of powers of 4, one for each 64 rows; (n, 1, units)."""
    rows, units = active.shape
    whole, rest = divmod(rows, _ROWS)
    # with `out` no autocast rounds them
    codes = active.new_empty(whole + (rest > 0), 1, units)
    if not rest:
        return torch.bmm(_powers(whole), active.view(whole, _ROWS, units), out=codes)
    if whole:
        shaped = active[: whole * _ROWS].view(whole, _ROWS, units)
        torch.bmm(_powers(whole), shaped, out=codes[:whole])
    torch.mm(_powers(1)[0, :, :rest], active[whole * _ROWS :], out=codes[whole])
    return codes


@functools.lru_cache(maxsize=16)
def _powers(number: int) -> Tensor:
    """Return 4^r, scaled such that the exponents in float32 are stored as 2, 4, 6, ...

    Of shape (number, 1, 64), the same for each of `number` blocks.
    """
    with torch.inference_mode(False):
        exponents = torch.arange(2, 2 * _ROWS + 2, 2, device="cpu") - 127
        powers = torch.ldexp(torch.ones(1, _ROWS, dtype=torch.float32, device="cpu"), exponents)
        # with PyTorch 2.10 ldexp has the default dtype
        return powers.to(torch.float32).expand(number, 1, _ROWS)
