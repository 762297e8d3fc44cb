"""Further files of the same kind, with their classes: to validate, to test, to predict."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from regularizers.errors import DataError
from regularizers.recipes.data._columns import where
from regularizers.recipes.data._options import TableOptions
from regularizers.recipes.data._samples import Floats
from regularizers.recipes.data._schema import Schema, numbered
from regularizers.recipes.data._sources import is_table, open_table


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
    if labels is not None:
        return Further(x, _of_labels(labels, path, len(x), classes))
    if schema.target is None or not is_table(path):
        return Further(x, None)
    source = open_table(path, schema.reading(options), None)
    names = source.names or numbered(schema, source)
    if schema.target not in names:
        return Further(x, None)
    index = names.index(schema.target)
    texts = source.read({index: "category"}).texts[index]
    column = where(source.names, index)
    y = _places(
        list(texts.known),
        texts.places,
        classes,
        lambda row: f"{path}, {source.row(row)}, {column}",
    )
    return Further(x, y)


def _of_labels(labels: Path, path: Path, samples: int, classes: Sequence[str]) -> NDArray[np.int64]:
    """Return the classes in a file of labels."""
    from regularizers.recipes.data._arrays import read_labels

    found = [str(label) for label in read_labels(labels).tolist()]
    if len(found) != samples:
        raise DataError(
            f"{labels}: expected a label for each of the {samples} samples in {path}, got "
            f"{len(found)}"
        )
    known = list(dict.fromkeys(found))
    places = np.array([known.index(label) for label in found])
    return _places(known, places, classes, lambda row: f"{labels}, label {row + 1}")


def _places(
    texts: Sequence[str],
    places: NDArray[np.integer],
    classes: Sequence[str],
    row: Callable[[int], str],
) -> NDArray[np.int64]:
    """Return the places of labels among the classes.

    Args:
        texts: the labels, each once.
        places: for each sample the place of its label in `texts`.
        classes: the classes.
        row: what messages call a row.
    """
    known = {name: place for place, name in enumerate(classes)}
    for place, text in enumerate(texts):
        if text not in known:
            first = int(np.flatnonzero(places == place)[0])
            some = ", ".join(map(repr, classes[:5])) + (", ..." if len(classes) > 5 else "")
            raise DataError(
                f"{row(first)}: expected a class of the training, {some}, got {text!r}; drop the "
                f"row, or the column of the classes"
            )
    return np.array([known[text] for text in texts], np.int64)[places]
