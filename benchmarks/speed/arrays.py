"""The arrays that penalties are timed on: their sizes, types and memory layouts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from benchmarks.speed.settings import Settings
from torch import Tensor

LARGE = 24
"""The exponent of the size for which bounds are stated, a power of 2."""


class Kind(NamedTuple):
    """An array of 2 to the power of `exponent` elements.

    `layout` is `"contiguous"`; `"sliced"`, the first half of the features of an array; or
    `"transposed"`, whose batch comes first in memory.
    """

    exponent: int
    dtype: torch.dtype = torch.float32
    layout: str = "contiguous"

    def __str__(self) -> str:
        return f"{self.type_name}, {self.layout}, 2^{self.exponent}"

    @property
    def type_name(self) -> str:
        return str(self.dtype).removeprefix("torch.")

    @property
    def elements(self) -> int:
        return int(2**self.exponent)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Time, batch, features: 64 steps, or fewer for a tiny array."""
        steps = min(6, self.exponent // 2)
        batch = (self.exponent - steps) // 2
        return 2**steps, 2**batch, 2 ** (self.exponent - steps - batch)

    def make(self, device: str) -> Tensor:
        """Return random numbers."""
        steps, batch, features = self.shape
        if self.layout == "sliced":
            whole = torch.randn(steps, batch, 2 * features, dtype=self.dtype, device=device)
            return whole[..., :features]
        if self.layout == "transposed":
            first = torch.randn(batch, steps, features, dtype=self.dtype, device=device)
            return first.transpose(0, 1)
        return torch.randn(self.shape, dtype=self.dtype, device=device)


def kinds(settings: Settings) -> Iterator[Kind]:
    """Yield every array that is timed: float32 in all sizes, the others in three."""
    if settings.quick:
        yield from (Kind(10), Kind(12), Kind(12, torch.bfloat16, "sliced"))
        return
    for exponent in range(14, 27, 2):
        yield Kind(exponent)
    for dtype, layout in (
        (torch.float32, "sliced"),
        (torch.float32, "transposed"),
        (torch.bfloat16, "contiguous"),
        (torch.bfloat16, "sliced"),
    ):
        for exponent in (14, 20, LARGE):
            yield Kind(exponent, dtype, layout)
