"""Opens a table of any format."""

from __future__ import annotations

from pathlib import Path

from regularizers.errors import DataError
from regularizers.recipes.data._delimited import Delimited
from regularizers.recipes.data._files import FORMATS, suffix_of
from regularizers.recipes.data._layout import lay_out
from regularizers.recipes.data._options import TableOptions
from regularizers.recipes.data._text import scan
from regularizers.recipes.data._values import Source

_TEXT = (".csv", ".tsv", ".tab", ".txt", ".dat", ".data")


def is_table(path: Path) -> bool:
    """Return whether a file is a table with cells, by its suffix."""
    return suffix_of(path) in _TEXT


def open_table(path: Path, options: TableOptions, target: str | None) -> Source:
    """Return the table in a file.

    Raises:
        DataError: it is no table, or it cannot be told how it is laid out.
    """
    if suffix_of(path) in _TEXT:
        return Delimited(lay_out(scan(path), options, target))
    raise DataError(f"{path}: expected {FORMATS}, got something else")
