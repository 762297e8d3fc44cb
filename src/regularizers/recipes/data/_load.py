"""Samples, and samples with classes, from any file or folder."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from regularizers.errors import DataError
from regularizers.recipes.data._arrays import Arrays, is_array, read_arrays, read_labels
from regularizers.recipes.data._classes import labelled
from regularizers.recipes.data._folders import read_folder
from regularizers.recipes.data._labels import classes_of
from regularizers.recipes.data._matrices import matrix
from regularizers.recipes.data._numbers import check_real
from regularizers.recipes.data._options import TableOptions
from regularizers.recipes.data._pixels import Pictures, largest_of, pictures_of
from regularizers.recipes.data._samples import Labelled, Samples
from regularizers.recipes.data._schema import Schema
from regularizers.recipes.data._sources import is_table, open_table
from regularizers.recipes.data._tables import Table, check_enough, read_table


def load_digits() -> Samples:
    """Return the 1797 handwritten digits, 8x8, that come with scikit-learn."""
    return load_labelled_digits().samples


def load_labelled_digits() -> Labelled:
    """Return the 1797 handwritten digits, 8x8, that come with scikit-learn, and their classes."""
    from sklearn.datasets import load_digits as load

    digits = load()
    samples = Samples(
        "digits", digits.data.astype(np.float32), Schema(picture=(8, 8), largest=16.0)
    )
    return labelled(samples, [*map(str, range(10))], digits.target, "the digits")


def load_samples(path: Path, options: TableOptions | None = None) -> Samples:
    """Return the samples in a file or a folder.

    Args:
        path: a table of numbers with a sample in each row, an array, or pictures.
        options: how to read a table.

    Raises:
        DataError: it is missing, or holds no samples.
    """
    options = options or TableOptions()
    if path.is_dir():
        return _enough(path, _of_pictures(path, read_folder(path).pictures))
    if not is_table(path) and is_array(path):
        return _enough(path, _of_arrays(path, read_arrays(path), options))
    table = read_table(open_table(path, options, None), options, None)
    return _of_table(path, table, options)


def load_labelled(
    path: Path,
    target: str | None = None,
    labels: Path | None = None,
    options: TableOptions | None = None,
) -> Labelled:
    """Return samples with their classes, wherever these are.

    Args:
        path: a table, an array, an archive with x and y, or pictures, in a folder for each class.
        target: the column of a table that is the class.
        labels: another file with the class of each sample.
        options: how to read a table.

    Raises:
        DataError: no such file, or no classes.
    """
    options = options or TableOptions()
    if target is not None:
        return load_with_target(path, target, options)
    if labels is not None:
        return load_with_labels(path, labels, options)
    if path.is_dir():
        return _of_folder(path)
    if not is_table(path) and is_array(path):
        arrays = read_arrays(path)
        if arrays.y is not None:
            texts, places = classes_of(path, arrays.y)
            samples = _enough(path, _of_arrays(path, arrays, options))
            return labelled(samples, texts, places, f"{path}, in y")
    raise DataError(
        f"{path}: expected its classes with it, as --target COLUMN of a table, --labels FILE, y "
        f"in an .npz, or a folder for each class, got none"
    )


def load_with_target(path: Path, target: str, options: TableOptions | None = None) -> Labelled:
    """Return the rows of a table, one of whose columns is the class.

    Args:
        path: the file; a text file may be compressed by gzip.
        target: the name of that column, or its number from 1 where there are no names.
        options: how to read the table.

    Raises:
        DataError: no such file, column or classes, or other columns that are not numbers.
    """
    options = options or TableOptions()
    if path.is_dir() or (path.exists() and not is_table(path) and is_array(path)):
        raise DataError(
            f"{path}: expected a table such as .csv, of which --target names a column; where "
            f"samples and labels are two files, say --labels FILE instead"
        )
    table = read_table(open_table(path, options, target), options, target)
    assert table.labels is not None
    return labelled(
        _of_table(path, table, options),
        [*table.labels.known],
        table.labels.places,
        f"{path}, in the target {target!r}",
    )


def load_with_labels(path: Path, labels: Path, options: TableOptions | None = None) -> Labelled:
    """Return the samples of one file with the labels of another.

    Args:
        path: what `load_samples` reads.
        labels: one label for each sample, in IDX, `.npy` or `.npz` (there called `y`).
        options: how to read a table.

    Raises:
        DataError: no such file, or labels that are no classes of these samples.
    """
    samples = load_samples(path, options)
    texts, places = classes_of(labels, read_labels(labels))
    if len(places) != len(samples.x):
        raise DataError(
            f"{labels}: expected a label for each of the {len(samples.x)} samples in {path}, "
            f"got {len(places)}"
        )
    return labelled(samples, texts, places, str(labels))


def _of_folder(path: Path) -> Labelled:
    folder = read_folder(path)
    if not folder.classes:
        raise DataError(
            f"{path}: expected a folder of pictures for each class, got pictures side by side"
        )
    samples = _enough(path, _of_pictures(path, folder.pictures))
    return labelled(samples, folder.classes, folder.y, str(path))


def _of_arrays(path: Path, arrays: Arrays, options: TableOptions) -> Samples:
    check_real(path, arrays.x)
    if arrays.x.ndim > 2:
        samples = _of_pictures(path, pictures_of(path, arrays.x), arrays.test)
    else:
        table = read_table(matrix(path, arrays.x), options, None)
        samples = _of_table(path, table, options, arrays.test, arrays.x.dtype)
    if not arrays.unread:
        return samples
    note = f"{path.name}: further arrays are not read: {', '.join(arrays.unread)}"
    return dataclasses.replace(samples, notes=(*samples.notes, note))


def _of_pictures(path: Path, pictures: Pictures, test: int = 0) -> Samples:
    schema = Schema(picture=pictures.shape, largest=pictures.largest)
    return Samples(path.name, pictures.x, schema, test, pictures.notes)


def _of_table(
    path: Path,
    table: Table,
    options: TableOptions,
    test: int = 0,
    dtype: np.dtype[Any] | None = None,
) -> Samples:
    largest, notes = None, table.notes
    if options.picture is not None:
        _check_picture(path, table.x, options.picture)
        largest, more = largest_of(path, table.x, dtype or table.x.dtype)
        notes += more
    schema = Schema(
        columns=table.columns,
        dropped=table.dropped,
        target=table.target,
        names=table.names,
        separator=options.separator,
        decimal=options.decimal,
        picture=options.picture,
        largest=largest,
    )
    return Samples(path.name, table.x, schema, test, notes)


def _check_picture(path: Path, x: NDArray[Any], picture: tuple[int, int]) -> None:
    if math.prod(picture) != x.shape[1]:
        raise DataError(
            f"{path}: expected --picture {picture[0]} {picture[1]} of {math.prod(picture)} "
            f"columns, got {x.shape[1]}"
        )


def _enough(path: Path, samples: Samples) -> Samples:
    check_enough(path, len(samples.x))
    return samples
