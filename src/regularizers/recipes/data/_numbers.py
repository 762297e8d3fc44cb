"""Arrays as rows of real numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from regularizers.errors import DataError
from regularizers.recipes.data._cells import EXACT

_WORDS = {
    "c": "complex numbers; save their real and imaginary parts as columns",
    "O": "Python objects; save x.astype(float)",
    "U": "texts; save x.astype(float)",
    "S": "bytes; save x.astype(float)",
    "V": "records with fields; save numpy.lib.recfunctions.structured_to_unstructured(x)",
    "M": "dates; save x.astype('int64')",
    "m": "time spans; save x.astype('int64')",
}


def check_real(path: Path, array: NDArray[Any]) -> None:
    """Raise a `DataError` if an array does not hold real numbers."""
    if array.dtype.kind not in "biuf":
        got = _WORDS.get(array.dtype.kind, str(array.dtype))
        raise DataError(f"{path}: expected real numbers, got {got}")


def in_rows(path: Path, array: NDArray[Any], dtype: type[np.floating]) -> NDArray[Any]:
    """Return the samples of an array as rows of finite numbers, (samples, features).

    Args:
        path: the file, for messages.
        array: real numbers, with a sample at each place of its first axis.
        dtype: the type of the result.

    Raises:
        DataError: a number is not finite, or whole and beyond what `dtype` holds exactly.
    """
    with np.errstate(over="ignore"):
        x = np.ascontiguousarray(array.reshape(len(array), -1), dtype=dtype)
    if not np.isfinite(x).all():
        row, column = np.argwhere(~np.isfinite(x))[0]
        raise DataError(
            f"{path}, row {row + 1}, column {column + 1}: expected a finite number, got "
            f"{array.reshape(len(array), -1)[row, column]}; fill or drop what is missing first"
        )
    if array.dtype.kind in "iu" and array.dtype.itemsize == 8:
        whole = array.reshape(len(array), -1)
        large = np.argwhere((x >= EXACT) | (x <= -EXACT))
        for row, column in large:
            if int(x[row, column]) != int(whole[row, column]):
                raise DataError(
                    f"{path}, row {row + 1}, column {column + 1}: expected a whole number that "
                    f"float64 holds, up to 2**53, got {whole[row, column]}; leave it out, or "
                    f"subtract what all have in common"
                )
    return x
