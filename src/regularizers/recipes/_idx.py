"""Reads arrays in the IDX format, as used by MNIST."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from regularizers.errors import DataError

_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def is_idx(content: bytes) -> bool:
    """Return whether `content` begins like an IDX file."""
    return len(content) >= 4 and content[:2] == b"\0\0" and content[2] in _TYPES


def read_idx(path: Path, content: bytes) -> NDArray[np.generic]:
    """Return the array in `content`, of any shape.

    Raises:
        DataError: it is longer or shorter than its header says.
    """
    dtype, ndim = np.dtype(_TYPES[content[2]]), content[3]
    start = 4 + 4 * ndim
    if len(content) < start:
        raise DataError(f"{path}: expected an IDX header of {start} bytes, got {len(content)}")
    shape = tuple(np.frombuffer(content[4:start], ">u4").tolist())
    wanted = math.prod(shape) * dtype.itemsize
    if len(content) - start != wanted:
        raise DataError(
            f"{path}: expected {wanted} bytes for an array of shape {shape}, "
            f"got {len(content) - start}"
        )
    return np.frombuffer(content, dtype, offset=start).reshape(shape)
