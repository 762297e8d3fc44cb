"""Samples, and samples with classes, from any file."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from regularizers.errors import DataError
from regularizers.recipes.data._classes import labelled
from regularizers.recipes.data._options import TableOptions
from regularizers.recipes.data._samples import Labelled, Samples
from regularizers.recipes.data._schema import Schema
from regularizers.recipes.data._sources import is_table, open_table
from regularizers.recipes.data._tables import Table, read_table

LEAST = 10
"""Samples that are too few to learn from."""


def load_digits() -> Samples:
    """Return the 1797 handwritten digits, 8x8, that come with scikit-learn."""
    return load_labelled_digits().samples


def load_labelled_digits() -> Labelled:
    """Return the 1797 handwritten digits, 8x8, that come with scikit-learn, and their classes."""
    from sklearn.datasets import load_digits as load

    digits = load()
    schema = Schema(picture=(8, 8), largest=16.0)
    samples = Samples("digits", digits.data.astype(np.float32), schema)
    return labelled(samples, [*map(str, range(10))], digits.target, "the digits")


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
    if path.is_file() and not is_table(path):
        raise DataError(
            f"{path}: expected a table such as .csv, of which --target names a column; where "
            f"samples and labels are two files, say --labels FILE instead"
        )
    table = read_table(open_table(path, options, target), options, target)
    assert table.labels is not None
    return labelled(
        _samples(path, table, options),
        [*table.labels.known],
        table.labels.places,
        f"{path}, in the target {target!r}",
    )


def _samples(path: Path, table: Table, options: TableOptions) -> Samples:
    if len(table.x) < LEAST:
        raise DataError(f"{path}: expected at least {LEAST} samples, got {len(table.x)}")
    schema = Schema(
        columns=table.columns,
        dropped=table.dropped,
        target=table.target,
        names=table.names,
        separator=options.separator,
        decimal=options.decimal,
    )
    return Samples(path.name, table.x, schema, notes=table.notes)


def load_samples(path: Path, options: TableOptions | None = None) -> Samples:
    """Return the samples in a file.

    Args:
        path: a table of numbers with a sample in each row, or pictures.
        options: how to read a table.

    Raises:
        DataError: the file is missing, or holds no samples.
    """
    options = options or TableOptions()
    return _samples(path, read_table(open_table(path, options, None), options, None), options)


def load_labelled(
    path: Path, target: str | None, labels: Path | None, options: TableOptions | None = None
) -> Labelled:
    """Return samples with their classes, wherever these are.

    Args:
        path: a table, pictures, an archive with `x` and `y`, or a folder of pictures for each
            class.
        target: the column of a table that is the class.
        labels: another file with the class of each sample.
        options: how to read a table.

    Raises:
        DataError: no such file, or no classes.
    """
    if target is not None:
        return load_with_target(path, target, options)
    raise DataError(f"{path}: labels in {labels} are not read yet")
