"""A column of a table that is no feature, but says which rows belong together or come first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from regularizers.errors import ConfigurationError
from regularizers.recipes.data._columns import place_of, where
from regularizers.recipes.data._options import TableOptions
from regularizers.recipes.data._sources import is_table, open_table


@dataclass(frozen=True)
class Aside:
    """The cells of a column.

    Args:
        name: the column.
        cells: a text for each row.
        row: what messages call a row, counted from 0: the file, the line and the column.
    """

    name: str
    cells: tuple[str, ...]
    row: Callable[[int], str]

    def some(self, rows: Sequence[int] | NDArray[np.int64]) -> Aside:
        """Return the cells of some rows, in this order."""
        places = [int(row) for row in rows]
        return Aside(
            self.name,
            tuple(self.cells[place] for place in places),
            lambda row: self.row(places[row]),
        )


def read_aside(
    path: Path, name: str, option: str, target: str | None, options: TableOptions
) -> Aside:
    """Return the cells of a column of a table.

    Args:
        path: the file.
        name: the column.
        option: the option that names it.
        target: the column of the classes, with which the file is read otherwise.
        options: how to read the table.

    Raises:
        ConfigurationError: the file is no table.
        DataError: it has no such column, or a cell of it is empty.
    """
    if path.exists() and not is_table(path):
        raise ConfigurationError(
            f"{option}: expected a table, of which it names a column, got {path}"
        )
    source = open_table(path, options, target)
    index = place_of(path, source.names, source.width, name, option)
    texts = source.read({index: "category"}).texts[index]
    known, column = list(texts.known), where(source.names, index)
    return Aside(
        name=name,
        cells=tuple(known[place] for place in texts.places.tolist()),
        row=lambda row: f"{path}, {source.row(row)}, {column}",
    )
