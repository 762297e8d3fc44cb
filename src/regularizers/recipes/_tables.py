"""Samples from a file: a table of numbers, or pictures in the IDX format."""

from __future__ import annotations

import gzip
import hashlib
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from regularizers.errors import DataError
from regularizers.recipes._csv import read_table
from regularizers.recipes._idx import is_idx, read_idx

Floats = NDArray[np.float32]

_FORMATS = ".npy, .npz, .csv or IDX (each may end in .gz, except .npz)"


@dataclass(frozen=True)
class Samples:
    """Samples in rows, and the height and width of each if it is a picture."""

    name: str
    x: Floats
    picture: tuple[int, int] | None
    largest: float | None
    """The value that maps to 1, if the format defines it; else columns are scaled by their data."""

    @property
    def digest(self) -> str:
        """A fingerprint of the samples, compared when a run is resumed."""
        return hashlib.sha256(np.ascontiguousarray(self.x).tobytes()).hexdigest()[:16]


def load_digits() -> Samples:
    """Return the 1797 handwritten digits, 8x8, that come with scikit-learn."""
    from sklearn.datasets import load_digits

    x = load_digits().data.astype(np.float32)
    return Samples("digits", x, (8, 8), 16.0)


def load_samples(path: Path) -> Samples:
    """Return the samples in `path`.

    Args:
        path: a `.npy`, `.npz` or `.csv` table of numbers with a sample in each row (the first row
            of a `.csv` may be names), or pictures in the IDX format, as MNIST's; all may be
            compressed by gzip.

    Raises:
        DataError: the file is missing, or is not such a table.
    """
    content, suffix = read_file(path)
    if suffix in (".npy", ".npz"):
        return in_rows(path, read_numpy(path, content, "x"))
    if suffix == ".csv":
        table = read_table(path, content)
        return in_rows(path, table.numbers(range(table.width)))
    if is_idx(content):
        return _pictures(path, read_idx(path, content))
    raise DataError(f"{path}: expected {_FORMATS}, got something else")


def _pictures(path: Path, array: NDArray[np.generic]) -> Samples:
    if array.ndim not in (2, 3):
        raise DataError(
            f"{path}: expected pictures (3 dimensions) or a table (2), got shape {array.shape}"
        )
    rows = in_rows(path, array.reshape(len(array), -1))
    picture = (array.shape[1], array.shape[2]) if array.ndim == 3 else None
    largest = 255.0 if array.dtype.itemsize == 1 else None
    return Samples(rows.name, rows.x, picture, largest)


def in_rows(path: Path, array: NDArray[np.generic]) -> Samples:
    """Return a table of numbers as samples; rows whose length is a square become pictures.

    Raises:
        DataError: it is no table of at least 10 rows of finite real numbers.
    """
    if array.ndim != 2:
        raise DataError(
            f"{path}: expected a table of shape (samples, columns), got shape {array.shape}; "
            f"pictures go in rows: x.reshape(len(x), -1)"
        )
    if not (np.issubdtype(array.dtype, np.number) or array.dtype == np.bool_) or np.iscomplexobj(
        array
    ):
        raise DataError(f"{path}: expected real numbers, got {array.dtype}")
    if array.size == 0 or len(array) < 10:
        raise DataError(f"{path}: expected at least 10 samples, got shape {array.shape}")
    x = array.astype(np.float32)
    if not np.isfinite(x).all():
        row, column = np.argwhere(~np.isfinite(x))[0]
        raise DataError(
            f"{path}: expected finite numbers, got {array[row, column]} in row {row + 1}, "
            f"column {column + 1}; fill or drop what is missing first"
        )
    side = math.isqrt(x.shape[1])
    square = (side, side) if side * side == x.shape[1] and side > 2 else None
    return Samples(path.name, x, square, 255.0 if array.dtype == np.uint8 else None)


def read_file(path: Path) -> tuple[bytes, str]:
    """Return the decompressed content of a file, and the suffix of its format.

    Raises:
        DataError: it is missing, empty, or cannot be read.
    """
    if not path.is_file():
        what = "a folder" if path.is_dir() else "nothing"
        raise DataError(f"{path}: expected a data file, found {what}; formats: {_FORMATS}")
    try:
        raw = path.read_bytes()
        content = gzip.decompress(raw) if path.suffix == ".gz" else raw
    except (OSError, EOFError) as error:
        raise DataError(f"{path}: cannot be read ({error})") from None
    if not content:
        raise DataError(f"{path}: expected samples, got an empty file")
    return content, path.with_suffix("").suffix if path.suffix == ".gz" else path.suffix


def read_numpy(path: Path, content: bytes, name: str) -> NDArray[np.generic]:
    """Return the array in `content`; from an archive, the only one or the one called `name`.

    Raises:
        DataError: there is no such array.
    """
    import io

    try:
        loaded = np.load(io.BytesIO(content), allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise DataError(f"{path}: expected NumPy's format ({error})") from None
    if isinstance(loaded, np.ndarray):
        return loaded
    names = loaded.files
    if name not in names and len(names) != 1:
        raise DataError(
            f"{path}: expected one array, or one named {name!r}, got {', '.join(names) or 'none'}"
        )
    array: NDArray[np.generic] = loaded[name if name in names else names[0]]
    return array
