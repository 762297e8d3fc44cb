"""Large arrays taken in pieces that stay in the cache, so that no temporary is as large as they."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import array_api_compat

from regularizers.penalties._arrays import Array, size_of

PIECE = 2**16
"""Elements of a piece: in float32 a quarter of a megabyte, which the cache of a core holds."""


def come_in_pieces(x: Array) -> bool:
    """Return whether `x` is better read piece by piece.

    That is a large array of NumPy, or of PyTorch in the machine's own memory, whose elements lie
    one after the other, and of which nothing is recorded: by no graph, no transform and no
    compiler, which fuses what it is given as a whole.
    """
    if size_of(x) <= PIECE:
        return False
    if array_api_compat.is_numpy_array(x):
        return bool(x.flags.c_contiguous)
    if not array_api_compat.is_torch_array(x) or x.device.type != "cpu":
        return False
    torch = sys.modules["torch"]
    if torch.compiler.is_compiling() or torch._C._functorch.peek_interpreter_stack() is not None:
        return False
    recorded = torch.is_grad_enabled() and x.requires_grad
    return type(x) in (torch.Tensor, torch.nn.Parameter) and not recorded and x.is_contiguous()


def library_of(x: Array) -> Any:
    """Return the library of an array that comes in pieces: NumPy or PyTorch, as it is.

    Unlike the standard's functions, theirs can be told where to write.
    """
    return sys.modules["numpy" if array_api_compat.is_numpy_array(x) else "torch"]


def pieces(x: Array) -> Iterator[Array]:
    """Yield views of successive elements of `x`, one-dimensional, of `PIECE` at most."""
    flat = x.reshape(-1)
    for start in range(0, size_of(x), PIECE):
        yield flat[start : start + PIECE]


def converted(x: Array, dtype: Any) -> Array:
    """Return an array that comes in pieces, or one of these, in another type."""
    return x.to(dtype) if array_api_compat.is_torch_array(x) else x.astype(dtype, copy=False)
