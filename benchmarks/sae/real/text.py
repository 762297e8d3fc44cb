"""Windows of tokens of one text, the last tenth of it held out."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

BEGIN = 256
"""The token before each window of bytes."""

HELD_OUT = 0.1


def bytes_of(path: Path) -> tuple[Tensor, Tensor]:
    """Return the bytes of a text for training, and those held out, as token ids."""
    return split(torch.tensor(list(path.read_bytes())))


def split(tokens: Tensor) -> tuple[Tensor, Tensor]:
    """Return the first nine tenths of the tokens, and the last."""
    first = len(tokens) - round(HELD_OUT * len(tokens))
    return tokens[:first], tokens[first:]


def windows(tokens: Tensor, inside: int, stride: int, begin: int, end: int | None = None) -> Tensor:
    """Return windows of `inside` tokens of a text, with `begin` before and `end` after each.

    They start every `stride` tokens; where that is less than `inside`, a token is in several
    windows, each time with another context. A last window that is not full is left out.
    """
    cut = tokens.unfold(0, inside, stride)
    first = cut.new_full((len(cut), 1), begin)
    return torch.cat([first, cut, *([] if end is None else [torch.full_like(first, end)])], dim=1)


def stride_for(tokens: int, inside: int, rows: int) -> int:
    """Return the largest stride at which windows of `inside` tokens have so many together."""
    needed = -(-rows // inside)
    return max(min((tokens - inside) // max(needed - 1, 1), inside), 1)
