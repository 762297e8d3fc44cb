"""Labelled samples: a table with a class column, or samples and labels in two files."""

from __future__ import annotations

import difflib
import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from regularizers.errors import DataError
from regularizers.recipes._csv import Table, is_number, read_table
from regularizers.recipes._idx import is_idx, read_idx
from regularizers.recipes._tables import (
    Samples,
    in_rows,
    load_digits,
    load_samples,
    read_file,
    read_numpy,
)


@dataclass(frozen=True)
class Labelled:
    """Samples, and the class of each as an index into the names of the classes."""

    samples: Samples
    y: NDArray[np.int64]
    classes: tuple[str, ...]

    @property
    def digest(self) -> str:
        """A fingerprint of samples and labels, compared when a run is resumed."""
        both = self.samples.digest.encode() + self.y.tobytes() + repr(self.classes).encode()
        return hashlib.sha256(both).hexdigest()[:16]


def load_labelled_digits() -> Labelled:
    """Return the 1797 handwritten digits, 8x8, that come with scikit-learn."""
    from sklearn.datasets import load_digits as load

    return _labelled(load_digits(), [str(label) for label in load().target], "the digits")


def load_with_target(path: Path, target: str) -> Labelled:
    """Return the rows of a `.csv`, one of whose columns is the class.

    Args:
        path: the file; it may be compressed by gzip.
        target: the name of that column, or its number from 1 where the first line has no names.

    Raises:
        DataError: no such file, column or classes, or other columns that are not numbers.
    """
    content, suffix = read_file(path)
    if suffix != ".csv":
        raise DataError(
            f"{path}: expected a .csv, of which --target names a column; where samples and labels "
            f"are two files, say --labels FILE instead"
        )
    table = read_table(path, content)
    index = _index_of(table, target)
    features = [column for column in range(table.width) if column != index]
    if not features:
        raise DataError(f"{path}: expected columns beside the target {target!r}, got none")
    labels = table.column(index)
    if "" in labels:
        raise DataError(
            f"{path}, line {table.lines[labels.index('')]}: expected a class in the target "
            f"{target!r}, got nothing; drop the row"
        )
    return _labelled(
        in_rows(path, table.numbers(features)), labels, f"{path}, in the target {target!r}"
    )


def load_with_labels(path: Path, labels: Path) -> Labelled:
    """Return the samples of one file with the labels of another.

    Args:
        path: what `load_samples` reads.
        labels: one label for each sample, in IDX, `.npy` or `.npz` (there called `y`).

    Raises:
        DataError: no such file, or labels that are no classes of these samples.
    """
    samples = load_samples(path)
    content, suffix = read_file(labels)
    if suffix in (".npy", ".npz"):
        array = read_numpy(labels, content, "y")
    elif is_idx(content):
        array = read_idx(labels, content)
    else:
        raise DataError(f"{labels}: expected labels in IDX, .npy or .npz, got something else")
    if array.ndim != 1:
        raise DataError(f"{labels}: expected labels in one dimension, got shape {array.shape}")
    if len(array) != len(samples.x):
        raise DataError(
            f"{labels}: expected a label for each of the {len(samples.x)} samples in {path}, "
            f"got {len(array)}"
        )
    return _labelled(samples, [str(label) for label in array.tolist()], str(labels))


def _index_of(table: Table, target: str) -> int:
    if table.names is None:
        if target.isdecimal() and 1 <= int(target) <= table.width:
            return int(target) - 1
        raise DataError(
            f"{table.path}: expected --target to be the number of a column, 1 to {table.width}, "
            f"since the first line has no names, got {target!r}"
        )
    if table.names.count(target) == 1:
        return table.names.index(target)
    if target in table.names:
        raise DataError(f"{table.path}: expected one column called {target!r}, got several")
    near = difflib.get_close_matches(target, table.names, n=3, cutoff=0.5) or table.names[-3:]
    raise DataError(
        f"{table.path}: expected --target to be the name of a column, such as "
        f"{', '.join(map(repr, near))}, got {target!r}"
    )


def _labelled(samples: Samples, labels: Sequence[str], where: str) -> Labelled:
    numeric = all(is_number(label) and math.isfinite(float(label)) for label in labels)
    if numeric:
        labels = [f"{float(label):.10g}" for label in labels]
    names, y, counts = np.unique(labels, return_inverse=True, return_counts=True)
    if len(names) == 1:
        raise DataError(
            f"{where}: expected two classes or more, got {_some(names)} alone; "
            f"choose another target, or add samples of another class"
        )
    if counts.min() == 1:
        single = names[counts == 1]
        raise DataError(
            f"{where}: expected two samples or more of each class, one to train and one to "
            f"validate, got one of {_some(single)}; drop or merge such classes, and cut a target "
            f"that is an amount into classes first"
        )
    order = np.argsort(names.astype(float), kind="stable") if numeric else np.arange(len(names))
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return Labelled(samples, rank[y], tuple(names[order].tolist()))


def _some(names: NDArray[np.str_]) -> str:
    few = ", ".join(repr(name) for name in names[:3].tolist())
    return few if len(names) <= 3 else f"{few} and {len(names) - 3} more"
