"""Samples from a file: a table of numbers, or pictures in the IDX format."""

from __future__ import annotations

import csv
import gzip
import hashlib
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from regularizers.errors import DataError

Floats = NDArray[np.float32]

_FORMATS = ".npy, .npz, .csv or IDX (each may end in .gz, except .npz)"
_IDX_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


@dataclass(frozen=True)
class Samples:
    """Samples in rows, and the height and width of each if it is a picture."""

    name: str
    x: Floats
    picture: tuple[int, int] | None
    largest: float | None
    """The value that means 1, where the format says it; else columns are scaled by what is seen."""

    @property
    def digest(self) -> str:
        """A fingerprint of the samples, by which a resumed run knows its data."""
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
    suffix = path.with_suffix("").suffix if path.suffix == ".gz" else path.suffix
    if suffix in (".npy", ".npz"):
        return _table(path, _read_numpy(path, content), None)
    if suffix == ".csv":
        return _table(path, _read_csv(path, content), None)
    if content[:2] == b"\0\0" and len(content) >= 4 and content[2] in _IDX_TYPES:
        return _read_idx(path, content)
    raise DataError(f"{path}: expected {_FORMATS}, got something else")


def _read_numpy(path: Path, content: bytes) -> NDArray[np.generic]:
    import io

    try:
        loaded = np.load(io.BytesIO(content), allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise DataError(f"{path}: expected NumPy's format ({error})") from None
    if isinstance(loaded, np.ndarray):
        return loaded
    names = loaded.files
    name = "x" if "x" in names else names[0] if len(names) == 1 else None
    if name is None:
        raise DataError(
            f"{path}: expected one array, or one named 'x', got {', '.join(names) or 'none'}"
        )
    array: NDArray[np.generic] = loaded[name]
    return array


def _read_csv(path: Path, content: bytes) -> NDArray[np.generic]:
    try:
        lines = content.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: expected text in UTF-8 ({error})") from None
    rows = [(number, row) for number, row in enumerate(csv.reader(lines), 1) if row]
    if rows and not any(_is_number(cell) for cell in rows[0][1]):
        rows = rows[1:]  # names
    if not rows:
        raise DataError(f"{path}: expected rows of numbers, got none")
    width = len(rows[0][1])
    for number, row in rows:
        if len(row) != width:
            raise DataError(
                f"{path}, line {number}: expected {width} columns, as in the first row, "
                f"got {len(row)}"
            )
        for column, cell in enumerate(row, 1):
            if not _is_number(cell):
                raise DataError(
                    f"{path}, line {number}, column {column}: expected a number, got {cell!r}"
                )
    return np.array([[float(cell) for cell in row] for _, row in rows])


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _read_idx(path: Path, content: bytes) -> Samples:
    dtype, ndim = np.dtype(_IDX_TYPES[content[2]]), content[3]
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
    if ndim not in (2, 3):
        raise DataError(
            f"{path}: expected pictures (3 dimensions) or a table (2), got shape {shape}"
        )
    array = np.frombuffer(content, dtype, offset=start).reshape(shape)
    largest = 255.0 if dtype.itemsize == 1 else None
    table = _table(path, array.reshape(len(array), -1), largest)
    return Samples(table.name, table.x, (shape[1], shape[2]) if ndim == 3 else None, largest)


def _table(path: Path, array: NDArray[np.generic], largest: float | None) -> Samples:
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
    if array.dtype == np.uint8:
        largest = 255.0
    side = math.isqrt(x.shape[1])
    square = (side, side) if side * side == x.shape[1] and side > 2 else None
    return Samples(path.name, x, square, largest)
