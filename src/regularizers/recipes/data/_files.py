"""Opens files, compressed by gzip or not, and says what a path holds instead of data."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from regularizers.errors import DataError

FORMATS = (
    ".csv, .tsv or .txt, .npy, .npz, IDX (each may be compressed by gzip), .parquet, .xlsx, "
    "or a folder of pictures for each class"
)

_GZIP = b"\x1f\x8b"
_OTHERS = {
    b"PK\x03\x04": "a zip archive; unpack it first, or say by its suffix what it is: .npz or .xlsx",
    b"\xfd7zXZ": "xz; unpack it first",
    b"BZh": "bzip2; unpack it first",
    b"\x28\xb5\x2f\xfd": "zstd; unpack it first",
    b"PAR1": "Parquet; give it the suffix .parquet",
    b"\x93NUMPY": "a NumPy array; give it the suffix .npy, and its classes with --labels",
    b"%PDF": "a PDF; export its table",
}


def suffix_of(path: Path) -> str:
    """Return the suffix of the format, in lower case: that before `.gz`, if there is one."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] == ".gz":
        suffixes.pop()
    return suffixes[-1] if suffixes else ""


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """Open a file for reading, decompressed if it is compressed by gzip, whatever its suffix.

    Raises:
        DataError: it is missing, a folder, empty, or cannot be read, also later while it is read.
    """
    if not path.is_file():
        what = "a folder" if path.is_dir() else "nothing"
        raise DataError(f"{path}: expected a data file, found {what}; formats: {FORMATS}")
    try:
        with path.open("rb") as raw:
            if raw.read(2) != _GZIP:
                raw.seek(0)
                yield raw
                return
            raw.seek(0)
            with gzip.GzipFile(fileobj=raw) as file:
                yield cast(BinaryIO, file)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: cannot be read ({error})") from None


def first_bytes(path: Path, count: int = 8) -> bytes:
    """Return the beginning of a file, decompressed.

    Raises:
        DataError: it is empty, cannot be read, or is compressed otherwise or twice.
    """
    with opened(path) as file:
        start = file.read(count)
    if not start:
        raise DataError(f"{path}: expected samples, got an empty file")
    if start.startswith(_GZIP):
        raise DataError(f"{path}: expected to be compressed by gzip once, got twice; unpack it")
    return start


def check_not_packed(path: Path, start: bytes) -> None:
    """Raise a `DataError` if a file that begins so is no text, nor compressed by gzip."""
    for magic, name in _OTHERS.items():
        if start.startswith(magic):
            raise DataError(f"{path}: expected {FORMATS}, got {name}")


def read_bytes(path: Path) -> bytes:
    """Return the decompressed content of a file.

    Raises:
        DataError: it is missing, empty, or cannot be read.
    """
    first_bytes(path)
    with opened(path) as file:
        return file.read()
