"""Large arrays in pieces that stay in the cache, so that no temporary is as large as the array."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import array_api_compat

from regularizers.penalties.arrays import Array, size_of
from regularizers.penalties.kernels import thresholds


def is_large(x: Array) -> bool:
    """Return whether an array is worth reading in pieces."""
    return size_of(x) > thresholds.LARGE


def lie_plainly(x: Array, *written: Array) -> bool:
    """Return whether `x`, and outputs of its shape, can be processed in pieces.

    NumPy arrays can, and PyTorch tensors on the CPU outside of any graph, transform and compiler.
    The outputs have the memory layout of `x`, or are contiguous.
    """
    if not (_is_plain(x) and all(map(_is_plain, written))):
        return False
    return are_contiguous(*written) or _in_one_order([x, *written]) is not None


def _is_plain(x: Array) -> bool:
    if array_api_compat.is_numpy_array(x):
        return True
    if not array_api_compat.is_torch_array(x) or x.device.type != "cpu":
        return False
    torch = sys.modules["torch"]
    if torch.compiler.is_compiling() or torch._C._functorch.peek_interpreter_stack() is not None:
        return False
    recorded = torch.is_grad_enabled() and x.requires_grad
    return type(x) in (torch.Tensor, torch.nn.Parameter) and not recorded


def _in_one_order(arrays: Sequence[Array]) -> list[Array] | None:
    """Return the arrays with their axes in memory order; None unless all share one order."""
    if all(map(are_contiguous, arrays)):
        return list(arrays)
    strides = strides_of(arrays[0])
    axes = sorted(range(len(strides)), key=lambda axis: -strides[axis])
    ordered = [permuted(x, axes) for x in arrays]
    return ordered if all(map(are_contiguous, ordered)) else None


def are_contiguous(*arrays: Array) -> bool:
    """Return whether every array is contiguous, the last axis fastest."""
    return all(
        x.is_contiguous() if array_api_compat.is_torch_array(x) else x.flags.c_contiguous
        for x in arrays
    )


def strides_of(x: Array) -> Sequence[int]:
    """Return the stride of each axis."""
    strides: Sequence[int] = x.stride() if array_api_compat.is_torch_array(x) else x.strides
    return strides


def permuted(x: Array, axes: Sequence[int]) -> Array:
    """Return a view of `x` with its axes in another order."""
    return x.permute(*axes) if array_api_compat.is_torch_array(x) else x.transpose(axes)


def library_of(x: Array) -> Any:
    """Return NumPy or PyTorch itself, whose functions take `out`, as the standard's do not."""
    return sys.modules["numpy" if array_api_compat.is_numpy_array(x) else "torch"]


def pieces(x: Array, *written: Array, size: int | None = None) -> Iterator[tuple[Array, ...]]:
    """Yield corresponding pieces of arrays that lie plainly, in one dimension.

    A piece has at most `size` elements, by default `thresholds.PIECE`. Pieces of `written` are
    views. A piece of `x` is a copy where its elements are not adjacent.
    """
    size = thresholds.PIECE if size is None else size
    if size_of(x) <= size and are_contiguous(x, *written):
        yield tuple([array.reshape(-1) for array in (x, *written)])
        return
    ordered = _in_one_order([x, *written])
    if ordered is None:
        yield from _rows([x, *written], size)
        return
    flat = [array.reshape(-1) for array in ordered]
    for start in range(0, max(size_of(x), 1), size):
        yield tuple([array[start : start + size] for array in flat])


def _rows(arrays: Sequence[Array], size: int) -> Iterator[tuple[Array, ...]]:
    """Yield as many rows at a time as fill a piece, in one dimension."""
    row = size_of(arrays[0][0])
    if row > size and arrays[0].ndim > 1:
        for parts in zip(*arrays, strict=True):
            yield from _rows(parts, size)
        return
    some = max(size // max(row, 1), 1)
    for start in range(0, len(arrays[0]), some):
        yield tuple([array[start : start + some].reshape(-1) for array in arrays])


def empty_beside(x: Array, dtype: Any) -> Array:
    """Return an empty array of the shape of `x` that can be written with it in pieces."""
    library = library_of(x)
    if _in_one_order([x]) is not None:
        return library.empty_like(x, dtype=dtype)
    return library.empty(x.shape, dtype=dtype)


def wide_pieces(x: Array, *written: Array, size: int | None = None) -> Iterator[tuple[Array, ...]]:
    """Yield each piece of `x` in the precision to accumulate in, a buffer, and the outputs.

    The buffer has the length and type of the piece. All pieces share it.
    """
    library = library_of(x)
    dtype = accumulated_in(library, x.dtype)
    buffer = kept_buffer(library, dtype, thresholds.PIECE if size is None else size)
    for piece, *others in pieces(x, *written, size=size):
        yield converted(piece, dtype), buffer[: len(piece)], *others


def kept_buffer(library: Any, dtype: Any, size: int, number: int = 0) -> Array:
    """Return a buffer that the thread keeps, since fresh memory costs more than arithmetic.

    Buffers of one size that are in use at once have different numbers.
    """
    key = library.__name__, dtype, size, number
    buffers: dict[Any, Array] = _kept.__dict__
    if key not in buffers:
        if library.__name__ == "torch":
            # a tensor made in inference mode cannot be written outside of it
            with library.inference_mode(False):
                buffers[key] = library.empty(size, dtype=dtype, device="cpu")
        else:
            buffers[key] = library.empty(size, dtype=dtype)
    return buffers[key]


_kept = threading.local()


def accumulated_in(library: Any, dtype: Any) -> Any:
    """Return the type in which elements of `dtype` are accumulated: at least float32."""
    return dtype if library.finfo(dtype).bits >= 32 else library.float32


def converted(x: Array, dtype: Any) -> Array:
    """Return an array in another type."""
    return x.to(dtype) if array_api_compat.is_torch_array(x) else x.astype(dtype, copy=False)


def add_scaled(into: Array, x: Array, factor: float, buffer: Array) -> None:
    """Add `factor` times `x` into a piece, in the type of the piece; `buffer` is scratch."""
    if array_api_compat.is_torch_array(into):
        into.add_(x, alpha=factor)
        return
    into += converted(library_of(x).multiply(x, factor, out=buffer), into.dtype)


def total(parts: list[Array]) -> Array:
    """Return the sum, taken pairwise by the library: a running sum would lose digits."""
    if len(parts) == 1:
        return parts[0]
    library = library_of(parts[0])
    return library.sum(library.stack(parts))
