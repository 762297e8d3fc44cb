"""Reads arrays in the IDX format, as used by MNIST."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from regularizers.errors import DataError

_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def is_idx(start: bytes) -> bool:
    """Return whether a file that begins so is meant to be IDX."""
    return start[:2] == b"\0\0"


def read_idx(path: Path, content: bytes) -> NDArray[np.generic]:
    """Return the array in `content`, of any shape.

    Raises:
        DataError: its type is unknown, or it is longer or shorter than its header says.
    """
    if len(content) < 4 or content[2] not in _TYPES:
        got = content[2:3].hex() or "nothing"
        known = ", ".join(f"{code:02x}" for code in _TYPES)
        raise DataError(f"{path}: expected an IDX file of type {known}, got {got}")
    dtype, ndim = np.dtype(_TYPES[content[2]]), content[3]
    start = 4 + 4 * ndim
    if len(content) < start:
        raise DataError(f"{path}: expected an IDX header of {start} bytes, got {len(content)}")
    shape = tuple(np.frombuffer(content[4:start], ">u4").tolist())
    wanted = math.prod(shape) * dtype.itemsize
    if len(content) - start != wanted:
        raise DataError(
            f"{path}: expected {wanted} bytes for an array of shape {shape}, "
            f"got {len(content) - start}; copy the file anew"
        )
    try:
        return np.frombuffer(content, dtype, offset=start).reshape(shape)
    except ValueError as error:  # more axes, or longer ones, than NumPy has
        raise DataError(f"{path}: expected an array, got shape {shape} ({error})") from None
