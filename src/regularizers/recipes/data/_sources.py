"""Opens a table of any format."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from regularizers.errors import DataError
from regularizers.recipes.data._columns import check_names
from regularizers.recipes.data._delimited import Delimited
from regularizers.recipes.data._files import FORMATS, check_not_packed, first_bytes, suffix_of
from regularizers.recipes.data._frames import read_parquet, sheet_as_text
from regularizers.recipes.data._layout import lay_out
from regularizers.recipes.data._options import TableOptions
from regularizers.recipes.data._text import scan
from regularizers.recipes.data._values import Source

_TEXT = (".csv", ".tsv", ".tab", ".txt", ".dat", ".data")
_PARQUET, _EXCEL = (".parquet", ".pq"), (".xlsx", ".xlsm")
_OLD_EXCEL = ".xls"


def is_table(path: Path) -> bool:
    """Return whether a file is a table with cells, by its suffix."""
    return suffix_of(path) in (*_TEXT, *_PARQUET, *_EXCEL, _OLD_EXCEL)


def open_table(path: Path, options: TableOptions, target: str | None) -> Source:
    """Return the table in a file.

    Raises:
        DataError: it is no table, or it cannot be told how it is laid out.
    """
    suffix = suffix_of(path)
    if suffix in _TEXT:
        return Delimited(lay_out(scan(path), options, target))
    first_bytes(path)
    if suffix in _PARQUET:
        frame = read_parquet(path)
        check_names(path, frame.names)
        return frame
    if suffix in _EXCEL:
        # of a sheet as text the separator is known
        options = dataclasses.replace(options, separator=",", decimal=".")
        return Delimited(lay_out(sheet_as_text(path), options, target))
    if suffix == _OLD_EXCEL:
        raise DataError(f"{path}: expected .xlsx, got the older .xls; save it as .xlsx or .csv")
    check_not_packed(path, first_bytes(path))
    raise DataError(
        f"{path}: expected {FORMATS}, got something else; give a table the suffix of its format, "
        f"such as .csv"
    )
