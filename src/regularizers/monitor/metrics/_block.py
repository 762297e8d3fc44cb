"""A block of samples that stays in the cache, with the arrays that reductions of it share."""

from __future__ import annotations

import functools

import torch
from torch import Tensor

from regularizers.modules import is_transformed


def widest(device: torch.device) -> torch.dtype:
    """Return the type that sums are kept in: float64, or float32 where a device has no wider."""
    return torch.float32 if device.type == "mps" else torch.float64


class Block:
    """Some samples: what all reductions of them read.

    On a CPU PyTorch reduces booleans, and float32 in float64, five to ten times slower than
    float32. So which elements are active is kept as the floats 0 and 1.

    Args:
        x: (samples, units), float32 or float64, 0 where it does not count.
        valid: what counts, (samples, units) or (samples, 1), boolean; None: everything.
    """

    def __init__(self, x: Tensor, valid: Tensor | None) -> None:
        self.x = x
        self.valid = valid
        self._indicators: dict[float, Tensor] = {}

    @functools.cached_property
    def is_plain(self) -> bool:
        """Whether it is an ordinary tensor of a CPU, of which a number can be read at once."""
        x = self.x
        is_run = not (torch.compiler.is_compiling() or is_transformed())
        return x.is_cpu and type(x) is Tensor and is_run

    @functools.cached_property
    def in_float32(self) -> bool:
        """Whether float32 is added as float32, since reading in float64 is slow."""
        return self.x.dtype == torch.float32 and self.is_plain

    @functools.cached_property
    def absolute(self) -> Tensor:
        """|x|; (samples, units)."""
        return self.x.abs()

    def indicator(self, threshold: float) -> Tensor:
        """Return 1 where |x| > `threshold` and 0 elsewhere, in float32; (samples, units)."""
        if threshold not in self._indicators:
            self._indicators[threshold] = greater(self.absolute, threshold)
        return self._indicators[threshold]


def greater(x: Tensor, edge: float) -> Tensor:
    """Return 1 where x > `edge` and 0 elsewhere, in float32."""
    return torch.gt(x, edge, out=torch.empty_like(x, dtype=torch.float32))


def less(x: Tensor, edge: float) -> Tensor:
    """Return 1 where x < `edge` and 0 elsewhere, in float32."""
    return torch.lt(x, edge, out=torch.empty_like(x, dtype=torch.float32))
