"""Arrays of labels as the texts of classes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from regularizers.errors import DataError
from regularizers.recipes.data._alike import stands_for_missing


def classes_of(path: Path, array: NDArray[Any]) -> tuple[list[str], NDArray[np.int64]]:
    """Return the texts of the classes, and for each sample the place of its own.

    Args:
        path: the file, for messages.
        array: (samples,) or (samples, 1) of whole numbers, true and false or texts; or
            (samples, classes) with one 1 in each row.

    Raises:
        DataError: a label is missing, or is no class.
    """
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim == 2 and array.shape[1] > 1:
        array = _from_one_hot(path, array)
    if array.ndim != 1:
        raise DataError(f"{path}: expected labels in one dimension, got shape {array.shape}")
    values, places = np.unique(_comparable(path, array), return_inverse=True)
    return [str(value) for value in values.tolist()], places


def _from_one_hot(path: Path, array: NDArray[Any]) -> NDArray[np.int64]:
    if array.dtype.kind not in "biuf" or not (
        np.isin(array, (0, 1)).all() and (array.sum(axis=1) == 1).all()
    ):
        raise DataError(
            f"{path}: expected labels in one dimension, or one 1 among zeros in each row, got "
            f"shape {array.shape}"
        )
    places: NDArray[np.int64] = array.argmax(axis=1)
    return places


def _comparable(path: Path, array: NDArray[Any]) -> NDArray[Any]:
    kind = array.dtype.kind
    if kind in "biu":
        return array
    if kind == "f":
        return _whole(path, array)
    if kind == "S":
        try:
            array = np.char.decode(array, "utf-8")
        except UnicodeDecodeError as error:
            raise DataError(f"{path}: expected labels in UTF-8 ({error})") from None
    elif kind != "U":
        raise DataError(
            f"{path}: expected whole numbers, true and false, or texts as labels, got "
            f"{array.dtype}; save them as numpy.array(labels, str)"
        )
    array = np.char.strip(array)
    for row, text in enumerate(array.tolist()):
        if not text or stands_for_missing(text):
            raise DataError(
                f"{path}, row {row + 1}: expected a class, got {text!r}, which stands for a "
                f"missing one; drop the sample, or name the class otherwise"
            )
    return array


def _whole(path: Path, array: NDArray[Any]) -> NDArray[np.int64]:
    """Return labels in floating point as whole numbers."""
    wrong = ~np.isfinite(array) | (np.abs(array) > 2.0**53)
    wrong |= np.where(wrong, 0, array) != np.rint(np.where(wrong, 0, array))
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        cure = "round them to classes" if np.isfinite(array[row]) else "drop the sample"
        raise DataError(
            f"{path}, row {row + 1}: expected a class as a whole number, got "
            f"{float(array[row])!r}; {cure} first"
        )
    return array.astype(np.int64)
