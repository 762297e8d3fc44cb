"""Reads arrays: NumPy's files and archives, with the names that Keras gives, and IDX."""

from __future__ import annotations

import dataclasses
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from regularizers.errors import DataError
from regularizers.recipes.data._files import first_bytes, opened, read_bytes
from regularizers.recipes.data._idx import is_idx, read_idx

_PARTS = ("x", "y", "x_train", "y_train", "x_test", "y_test")
_NPY, _ZIP = b"\x93NUMPY", b"PK\x03\x04"
_BROKEN = (
    *(ValueError, TypeError, KeyError, EOFError, OSError, MemoryError, OverflowError, SyntaxError),
    *(zipfile.BadZipFile, zlib.error, struct.error, tokenize.TokenError, NotImplementedError),
    RuntimeError,
)


@dataclass(frozen=True)
class Arrays:
    """What a file of arrays holds.

    Args:
        x: the samples.
        y: their labels, if they are there.
        test: how many of the last samples the file sets apart for testing.
        unread: the names of further arrays of an archive.
    """

    x: NDArray[Any]
    y: NDArray[Any] | None = None
    test: int = 0
    unread: tuple[str, ...] = ()


def is_array(path: Path) -> bool:
    """Return whether a file holds arrays, by its beginning and for an archive by its suffix."""
    start = first_bytes(path)
    archive = start.startswith(_ZIP) and path.name.lower().endswith((".npz", ".npz.gz"))
    return archive or start.startswith(_NPY) or is_idx(start)


def read_arrays(path: Path) -> Arrays:
    """Return the samples in a file of arrays, and their labels from an archive that has them.

    Raises:
        DataError: it is damaged, or an archive has no names that say what is what.
    """
    start = first_bytes(path)
    if is_idx(start):
        return Arrays(read_idx(path, read_bytes(path)))
    if start.startswith(_NPY):
        return Arrays(_read_npy(path))
    with _archive(path) as archive:
        found, names = _of_names(path, archive), _names(path, archive)
        read = {*_PARTS} if len(names) > 1 else {*names}
        unread = tuple(name for lower, name in names.items() if lower not in read)
        return dataclasses.replace(found, unread=unread)


def read_labels(path: Path) -> NDArray[Any]:
    """Return the labels in a file of arrays: the only one, or that called `y`.

    Raises:
        DataError: it is damaged, or has no such array.
    """
    start = first_bytes(path)
    if not is_array(path):
        raise DataError(
            f"{path}: expected labels in IDX, .npy or .npz, got something else; of a table, name "
            f"the column of the classes with --target"
        )
    if not start.startswith(_ZIP):
        return read_arrays(path).x
    with _archive(path) as archive:
        names = _names(path, archive)
        if len(names) == 1:
            return _member(path, archive, *names.values())
        if {"y_train", "y_test"} <= {*names}:
            train, test = (_member(path, archive, names[n]) for n in ("y_train", "y_test"))
            return _joined(path, train, test, "y")
        return _member(path, archive, _one_of(path, names, "y"))


def _read_npy(path: Path) -> NDArray[Any]:
    with _words(path), opened(path) as file:
        array: NDArray[Any] = np.load(file, allow_pickle=False)
        if file.read(1):
            raise ValueError("it is longer than its header says")
        return array


@contextmanager
def _archive(path: Path) -> Iterator[Any]:
    with _words(path), opened(path) as file, np.load(file, allow_pickle=False) as archive:
        yield archive


@contextmanager
def _words(path: Path) -> Iterator[None]:
    """Say in words that NumPy cannot read a file."""
    try:
        yield
    except DataError:
        raise
    except _BROKEN as error:
        if "allow_pickle" in str(error):
            raise DataError(
                f"{path}: expected an array of numbers, got one of Python objects, which may run "
                f"code; save x.astype(float), or labels as numpy.array(labels, str)"
            ) from None
        said = " ".join(str(error).split()) or type(error).__name__
        raise DataError(
            f"{path}: expected NumPy's format, got a damaged file ({said[:200]}); save it anew"
        ) from None


def _of_names(path: Path, archive: Any) -> Arrays:
    names = _names(path, archive)
    if "x_train" in names and "x_test" in names:
        train, test = (_member(path, archive, names[n]) for n in ("x_train", "x_test"))
        x = _joined(path, train, test, "x")
        if ("y_train" in names) != ("y_test" in names):
            raise DataError(f"{path}: expected both y_train and y_test, or neither, got one")
        if "y_train" not in names:
            return Arrays(x, None, len(test))
        labels = [_member(path, archive, names[n]) for n in ("y_train", "y_test")]
        for part, of_part, name in zip(labels, (train, test), ("train", "test"), strict=True):
            _check_as_many(path, part, of_part, f"y_{name}", f"x_{name}")
        return Arrays(x, _joined(path, labels[0], labels[1], "y"), len(test))
    if len(names) == 1:
        return Arrays(_member(path, archive, *names.values()))
    x = _member(path, archive, _one_of(path, names, "x"))
    if names.keys().isdisjoint(("y", "y_train")):
        return Arrays(x)
    y = _member(path, archive, _one_of(path, names, "y"))
    _check_as_many(path, y, x, "y", "x")
    return Arrays(x, y)


def _names(path: Path, archive: Any) -> dict[str, str]:
    """Return the names of an archive by their lower case."""
    names = {name.lower(): name for name in archive.files}
    if len(names) != len(archive.files):
        raise DataError(f"{path}: expected one array for each name, got {', '.join(archive.files)}")
    return names


def _one_of(path: Path, names: dict[str, str], name: str) -> str:
    """Return how an archive calls x or y where it has no part for testing."""
    found = [n for n in (name, f"{name}_train") if n in names]
    if len(found) == 1 and f"{name}_test" not in names:
        return names[found[0]]
    raise DataError(
        f"{path}: expected {name}_train and {name}_test, one array, or one named {name!r}, got "
        f"{', '.join(names.values()) or 'none'}"
    )


def _member(path: Path, archive: Any, name: str) -> NDArray[Any]:
    array = archive[name]
    if not isinstance(array, np.ndarray):
        raise DataError(f"{path}: expected {name!r} to be an array, got another file")
    return array


def _joined(path: Path, train: NDArray[Any], test: NDArray[Any], name: str) -> NDArray[Any]:
    if train.shape[1:] != test.shape[1:] or train.dtype != test.dtype:
        raise DataError(
            f"{path}: expected {name}_train and {name}_test to be alike, got {train.dtype} of "
            f"shape {train.shape} and {test.dtype} of shape {test.shape}"
        )
    return np.concatenate([train, test])


def _check_as_many(path: Path, y: NDArray[Any], x: NDArray[Any], y_name: str, x_name: str) -> None:
    if y.shape[:1] != x.shape[:1]:
        raise DataError(
            f"{path}: expected a label for each of the samples in {x_name}, of shape {x.shape}, "
            f"got {y_name} of shape {y.shape}"
        )
