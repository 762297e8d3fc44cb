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


class Block:
    """Some samples: what all reductions of them read, and nothing that outlives them.

    On a CPU PyTorch reduces booleans, and float32 in float64, five to ten times slower than
    float32. So which elements are active is kept as the floats 0 and 1. Its arrays are written to
    memory that the thread keeps, since fresh memory costs more than arithmetic.

    Args:
        matrix: (samples, units), real floating.
        valid: what counts, (samples, units) or (samples, 1), boolean; None: everything.
    """

    def __init__(self, matrix: Tensor, valid: Tensor | None) -> None:
        self.is_plain = (
            matrix.is_cpu
            and type(matrix) is Tensor
            and not torch.compiler.is_compiling()
            and not is_transformed()
            and not torch._C._len_torch_dispatch_stack()
        )
        """Whether it is an ordinary tensor of a CPU, of which a number can be read at once."""
        self.valid = valid
        self._used = 0
        self._absolute: Tensor | None = None
        self._norms: tuple[Tensor, Tensor | float] | None = None
        self._indicators: dict[float, Tensor] = {}
        x = in_float32(matrix)
        self.x = x if valid is None else torch.where(valid, x, torch.zeros_like(x))
        """The elements, float32 or float64, 0 where they do not count; (samples, units)."""
        self.adds_float32 = self.is_plain and x.dtype == torch.float32
        """Whether it is summed as float32, since reading in float64 is slow."""

    def absolute(self) -> Tensor:
        """Return |x|; (samples, units)."""
        if self._absolute is None:
            self._absolute = torch.abs(self.x, out=self.empty(self.x.dtype))
        return self._absolute

    def norms(self) -> tuple[Tensor, Tensor | float]:
        """Return ‖x‖₂ of each sample, (samples,), in the widest type; and Σx²."""
        if self._norms is None:
            self._norms = _norms(self)
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


def _norms(block: Block) -> tuple[Tensor, Tensor | float]:
    x = block.x
    if block.adds_float32:
        short = _norms_by_short_rows(x)
        squares = torch.dot(short, short).item()
        if _SQUARES[0] < squares < _SQUARES[1]:
            return short, squares
    norms: Tensor = torch.linalg.vector_norm(x, dim=1, dtype=widest(x.device))
    squares_of_all = norms.square().sum()
    return norms, squares_of_all.item() if block.is_plain else squares_of_all


_SHORT = 1024
"""The length of rows in which squares of float32 are added: longer rows lose digits."""

_SQUARES = 1e-12, 1e36
"""Bounds of Σx² in which no square that matters leaves float32."""


def _norms_by_short_rows(x: Tensor) -> Tensor:
    rows, units = x.shape
    if units <= _SHORT:
        norms: Tensor = torch.linalg.vector_norm(x, dim=1)
        return norms.double()
    whole = units - units % _SHORT
    short = torch.linalg.vector_norm(x[:, :whole].reshape(-1, _SHORT), dim=1).double()
    squares: Tensor = short.square_().view(rows, -1).sum(dim=1)
    if whole < units:
        squares += torch.linalg.vector_norm(x[:, whole:], dim=1).double().square_()
    return squares.sqrt_()


_KEPT = 2**18
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
"""How many arrays are kept; of float32 they take 8 MiB at most."""

_kept = _Kept()
