"""Further files of the same kind, with their classes: to validate, to test, to predict."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from regularizers.errors import DataError
from regularizers.recipes.data._arrays import is_array, read_arrays, read_labels
from regularizers.recipes.data._columns import where
from regularizers.recipes.data._folders import read_folder
from regularizers.recipes.data._labels import classes_of
from regularizers.recipes.data._options import TableOptions
from regularizers.recipes.data._schema import Schema, numbered
from regularizers.recipes.data._sources import is_table, open_table
from regularizers.recipes.data._values import Floats


@dataclass(frozen=True)
class Further:
    """The samples of a further file.

    Args:
        x: (samples, features), in the order of the training's, not yet scaled.
        y: for each sample the place of its class among those of the training; None where the file
            has no classes.
    """

    x: Floats
    y: NDArray[np.int64] | None


def read_further(
    schema: Schema,
    path: Path,
    classes: Sequence[str],
    labels: Path | None = None,
    options: TableOptions | None = None,
) -> Further:
    """Read a file of the same kind as that of the training, with its classes where it has them.

    Args:
        schema: what the file of the training has.
        path: the file.
        classes: the names of the classes of the training.
        labels: another file with the class of each sample.
        options: how to read a table, where it is written otherwise.

    Raises:
        DataError: as `Schema.rows_of`; or a class that is none of the training.
    """
    options = options or TableOptions()
    x = schema.rows_of(path, options)
    found = None
    if labels is not None:
        found = _of_array(labels, read_labels(labels))
        if len(found.places) != len(x):
            raise DataError(
                f"{labels}: expected a label for each of the {len(x)} samples in {path}, got "
                f"{len(found.places)}"
            )
    elif path.is_dir():
        folder = read_folder(path)
        if folder.classes:
            found = _Labels(folder.classes, folder.y, lambda row: f"{path}, picture {row + 1}")
    elif is_table(path):
        found = _of_table(schema, path, options)
    elif is_array(path) and (y := read_arrays(path).y) is not None:
        found = _of_array(path, y)
    return Further(x, None if found is None else found.among(classes))


@dataclass(frozen=True)
class _Labels:
    """Labels of samples.

    Args:
        texts: the labels, each once.
        places: for each sample the place of its label in `texts`.
        row: what messages call a sample, counted from 0.
    """

    texts: Sequence[str]
    places: NDArray[np.integer]
    row: Callable[[int], str]

    def among(self, classes: Sequence[str]) -> NDArray[np.int64]:
        """Return the places of the labels among classes; raise a `DataError` if one is none."""
        known = {name: place for place, name in enumerate(classes)}
        for place, text in enumerate(self.texts):
            if text not in known:
                first = int(np.flatnonzero(self.places == place)[0])
                some = ", ".join(map(repr, classes[:5])) + (", ..." if len(classes) > 5 else "")
                raise DataError(
                    f"{self.row(first)}: expected a class of the training, {some}, got {text!r}; "
                    f"leave out the sample, or all classes of the file"
                )
        of_texts = np.array([known[text] for text in self.texts], np.int64)
        places: NDArray[np.int64] = of_texts[self.places]
        return places


def _of_table(schema: Schema, path: Path, options: TableOptions) -> _Labels | None:
    """Return the labels in the target of a table; None if it is not there."""
    if schema.target is None:
        return None
    source = open_table(path, schema.reading(options), None)
    names = source.names or numbered(schema, source)
    if schema.target not in names:
        return None
    index = names.index(schema.target)
    texts = source.read({index: "class"}).texts[index]
    column = where(source.names, index)
    return _Labels([*texts.known], texts.places, lambda row: f"{path}, {source.row(row)}, {column}")


def _of_array(path: Path, array: NDArray[Any]) -> _Labels:
    texts, places = classes_of(path, array)
    return _Labels(texts, places, lambda row: f"{path}, row {row + 1}")
