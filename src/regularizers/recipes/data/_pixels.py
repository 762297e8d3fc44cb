"""Arrays of pictures as rows of pixels, and the value of a pixel that maps to 1."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from regularizers.errors import DataError
from regularizers.recipes.data._numbers import check_real, in_rows


@dataclass(frozen=True)
class Pictures:
    """Pictures of one shape.

    Args:
        x: (samples, pixels), one colour after the other.
        shape: (height, width), or (3, height, width) of colours.
        largest: the value that maps to 1; None if none is sure, so that columns are scaled.
        notes: lines to print.
    """

    x: NDArray[Any]
    shape: tuple[int, ...]
    largest: float | None
    notes: tuple[str, ...] = ()


def pictures_of(path: Path, array: NDArray[Any]) -> Pictures:
    """Return an array as pictures.

    Args:
        path: the file, for messages.
        array: of shape (samples, height, width), or (samples, height, width, 1 or 3).

    Raises:
        DataError: it has another shape, or does not hold real numbers.
    """
    check_real(path, array)
    shape = array.shape[1:]
    if array.ndim == 4 and shape[2] in (1, 3):
        array = np.moveaxis(array, 3, 1)
        shape = (shape[0], shape[1]) if shape[2] == 1 else (3, shape[0], shape[1])
    elif array.ndim != 3:
        first = array.ndim == 4 and shape[0] in (1, 3)
        cure = "; put the colours last: numpy.moveaxis(x, 1, 3)" if first else ""
        raise DataError(
            f"{path}: expected pictures (samples, height, width) of grey, or with 3 colours as "
            f"last axis, or a table (samples, columns), got shape {array.shape}{cure}"
        )
    if not all(shape):
        raise DataError(f"{path}: expected pictures with pixels, got shape {array.shape}")
    exact = np.can_cast(array.dtype, np.float32)
    x = in_rows(path, array, np.float32 if exact else np.float64)
    largest, notes = largest_of(path, x, array.dtype)
    return Pictures(x, shape, largest, notes)


def largest_of(
    path: Path, x: NDArray[Any], dtype: np.dtype[Any]
) -> tuple[float | None, tuple[str, ...]]:
    """Return the value of a pixel that maps to 1, and what to print if it is not plain.

    Bytes go to 255 and true to 1. Other numbers go to 1, to 255 or to 65535, by what they reach.
    """
    if not x.size or dtype == np.bool_:
        return 1.0, ()
    low, high = float(x.min()), float(x.max())
    if dtype == np.uint8:
        note = f"{path.name}: bytes up to {high:g} are divided by 255, as all bytes of pictures are"
        return 255.0, (note,) if high < 128 else ()
    if low < 0 or high == 0:
        sizes = f"pixels from {low:g} to {high:g}"
        note = f"{path.name}: {sizes} are divided by the largest size in the training part"
        return None, (note,)
    if high <= 1:
        return 1.0, ()
    for most in (255.0, 65535.0):
        if most / 2 < high <= most:
            return most, ()
    return high, (f"{path.name}: pixels are divided by {high:g}, the largest of them",)
