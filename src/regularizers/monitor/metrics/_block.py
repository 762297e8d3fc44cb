"""A block of samples that stays in the cache, with the arrays that reductions of it share."""

from __future__ import annotations

import threading

import torch
from torch import Tensor

from regularizers.modules import is_transformed


def widest(device: torch.device) -> torch.dtype:
    """Return the type that sums are kept in: float64, or float32 where a device has no wider."""
    return torch.float32 if device.type == "mps" else torch.float64


def in_float32(x: Tensor) -> Tensor:
    """Return `x` in float32, or in float64 as it is."""
    return x if x.dtype in (torch.float32, torch.float64) else x.to(torch.float32)


def is_plain(x: Tensor) -> bool:
    """Return whether `x` is an ordinary tensor of a CPU."""
    return (
        x.is_cpu
        and type(x) is Tensor
        and not torch.compiler.is_compiling()
        and not is_transformed()
    )


class Block:
    """Some samples: what all reductions of them read, and nothing that outlives them.

    On a CPU PyTorch reduces booleans five to ten times slower than float32, so which elements are
    active is kept as the floats 0 and 1. It reduces float32 in float64 half as fast as float64, so
    one copy in float64 serves all sums. Its arrays are written to memory that the thread keeps,
    since fresh memory costs more than arithmetic.

    Args:
        matrix: (samples, units), real floating.
        valid: what counts, (samples, units) or (samples, 1), boolean; None: everything.
        is_plain: whether its arrays are written to kept memory.
    """

    def __init__(self, matrix: Tensor, valid: Tensor | None, *, is_plain: bool) -> None:
        self.is_plain = is_plain
        self.valid = valid
        self._used = 0
        self._absolute: Tensor | None = None
        self._wide: Tensor | None = None
        self._norms: Tensor | None = None
        self._indicators: dict[float, Tensor] = {}
        x = in_float32(matrix)
        self.x = x if valid is None else torch.where(valid, x, torch.zeros_like(x))
        """The elements, float32 or float64, 0 where they do not count; (samples, units)."""

    def absolute(self) -> Tensor:
        """Return |x|; (samples, units)."""
        if self._absolute is None:
            self._absolute = torch.abs(self.x, out=self.empty(self.x.dtype))
        return self._absolute

    def wide(self) -> Tensor:
        """Return x in the widest type, in which sums leave no range; (samples, units)."""
        if self._wide is None:
            dtype = widest(self.x.device)
            same = self.x.dtype == dtype
            self._wide = self.x if same else self.empty(dtype).copy_(self.x)
        return self._wide

    def norms(self) -> Tensor:
        """Return ‖x‖₂ of each sample, in the widest type; (samples,)."""
        if self._norms is None:
            self._norms = torch.linalg.vector_norm(self.wide(), dim=1)
        return self._norms

    def indicator(self, threshold: float) -> Tensor:
        """Return 1 where |x| > `threshold` and 0 elsewhere, in float32; (samples, units)."""
        if threshold not in self._indicators:
            out = self.empty()
            if self._absolute is None and self.x.dtype == out.dtype:
                absolute = torch.abs(self.x, out=out)
            else:
                absolute = self.absolute()
            self._indicators[threshold] = torch.gt(absolute, threshold, out=out)
        return self._indicators[threshold]

    def empty(self, dtype: torch.dtype = torch.float32) -> Tensor:
        """Return an array of the shape of `x` to be written."""
        self._used += 1
        if self.is_plain and self.x.numel() <= _KEPT:
            return _kept.array(self.x.shape, dtype, self._used)
        return torch.empty_like(self.x, dtype=dtype)


_KEPT = 2**17
"""The largest array that is kept: a block of as many elements stays in the cache."""


class _Kept(threading.local):
    """Arrays that a thread writes again and again."""

    def __init__(self) -> None:
        self._arrays: dict[tuple[torch.Size, torch.dtype, int], Tensor] = {}

    def array(self, shape: torch.Size, dtype: torch.dtype, number: int) -> Tensor:
        """Return the array of this shape and number."""
        key = shape, dtype, number
        found = self._arrays.get(key)
        if found is None:
            if len(self._arrays) == _SHAPES:
                self._arrays.clear()
            # what is made in inference mode cannot be written outside of it
            with torch.inference_mode(False):
                found = torch.empty(shape, dtype=dtype, device="cpu")
            self._arrays[key] = found
        return found


_SHAPES = 8
"""How many arrays are kept; in float64 they take 8 MiB at most."""

_kept = _Kept()
