"""Tables whose cells have types: Parquet, and Excel's sheets."""

from __future__ import annotations

import csv
import datetime
import io
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from regularizers.errors import DataError
from regularizers.recipes.data._cells import EXACT
from regularizers.recipes.data._columns import Kind, is_numeric, is_text, where
from regularizers.recipes.data._text import Text
from regularizers.recipes.data._values import Texts, Values


@dataclass(frozen=True)
class Frame:
    """A table whose columns have names and types: a `Source`.

    Args:
        path: the file.
        frame: its columns.
    """

    path: Path
    frame: Any
    notes: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(map(str, self.frame.columns))

    @property
    def width(self) -> int:
        return len(self.frame.columns)

    def kind_of(self, index: int) -> Kind:
        return "boolean" if pd.api.types.is_bool_dtype(self.frame.iloc[:, index]) else "number"

    def read(self, kinds: Mapping[int, Kind]) -> Values:
        places = [index for index, kind in kinds.items() if is_numeric(kind)]
        numbers = np.empty((len(self.frame), len(places)))
        for column, index in enumerate(places):
            numbers[:, column] = self._numbers(index)
        texts = {index: self._texts(index, kind) for index, kind in kinds.items() if is_text(kind)}
        return Values(numbers, texts)

    def row(self, number: int) -> str:
        return f"row {number + 1}"

    def _numbers(self, index: int) -> NDArray[np.float64]:
        cells = self.frame.iloc[:, index]
        missing = cells.isna().to_numpy()
        if missing.any():
            raise self._wrong(missing, index, "a number, got nothing; fill or drop what is missing")
        if pd.api.types.infer_dtype(cells) == "decimal":
            cells = cells.astype(np.float64)
        if not (pd.api.types.is_numeric_dtype(cells) or pd.api.types.is_bool_dtype(cells)):
            raise self._wrong(
                np.ones(1, bool),
                index,
                f"a number, got {cells.iloc[0]!r} in a column of {cells.dtype}; write it as "
                f"numbers, read it as texts with --categorical, or leave it out with --drop",
            )
        if pd.api.types.is_complex_dtype(cells):
            raise self._wrong(np.ones(1, bool), index, "a real number, got a complex one")
        numbers: NDArray[np.float64] = cells.to_numpy(np.float64)
        if not np.isfinite(numbers).all():
            wrong = ~np.isfinite(numbers)
            raise self._wrong(
                wrong, index, f"a finite number, got {numbers[wrong][0]}; fill or drop it first"
            )
        if pd.api.types.is_integer_dtype(cells):
            for row in np.flatnonzero(np.abs(numbers) >= EXACT):
                if int(numbers[row]) != int(cells.iloc[row]):
                    raise self._wrong(
                        np.arange(len(cells)) == row,
                        index,
                        f"a whole number that float64 holds, up to 2**53, got {cells.iloc[row]}; "
                        f"leave the column out with --drop, or read it with --categorical",
                    )
        return numbers

    def _texts(self, index: int, kind: Kind) -> Texts:
        cells = self.frame.iloc[:, index]
        missing = cells.isna().to_numpy()
        if not missing.any():
            nested = cells.map(lambda cell: isinstance(cell, list | dict | np.ndarray))
            if nested.any():
                raise self._wrong(
                    nested.to_numpy(bool), index, f"a {kind}, got several values in a cell"
                )
            cells = cells.map(text_of).astype(object)
            missing = (cells.str.strip() == "").to_numpy()
        if missing.any():
            raise self._wrong(
                missing, index, f"a {kind}, got nothing; fill or drop what is missing first"
            )
        texts = Texts()
        texts.add(cells)
        return texts

    def _wrong(self, rows: NDArray[np.bool_], index: int, expected: str) -> DataError:
        row, column = self.row(int(np.flatnonzero(rows)[0])), where(self.names, index)
        return DataError(f"{self.path}, {row}, {column}: expected {expected}")


def text_of(value: object) -> str:
    """Return a typed cell as a text file would have it: a whole number without its point."""
    if value is None:
        return ""
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    if isinstance(value, float | np.floating):
        return repr(float(value))
    if isinstance(value, datetime.datetime | datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return str(value)


def read_parquet(path: Path) -> Frame:
    """Return the table in a Parquet file.

    Raises:
        DataError: it is damaged, empty, or pyarrow is not installed.
    """
    _check_engine(path, "pyarrow")
    try:
        frame = pd.read_parquet(path)
    except Exception as error:  # pyarrow's own, and what it lets through from a damaged file
        raise DataError(
            f"{path}: expected Parquet ({' '.join(str(error).split())[:200]})"
        ) from None
    if isinstance(frame.columns, pd.MultiIndex):
        raise DataError(f"{path}: expected a name for each column, got several levels of names")
    notes = []
    # an index that pandas kept beside the columns
    if frame.index.names == [None] and pd.api.types.is_integer_dtype(frame.index.dtype):
        if not isinstance(frame.index, pd.RangeIndex):
            notes.append(f"{path.name}: an index of the rows, without a name, is left out")
        frame = frame.reset_index(drop=True)
    else:
        frame = frame.reset_index()
    if not len(frame):
        raise DataError(f"{path}: expected rows of numbers, got none")
    return Frame(path, frame, tuple(notes))


def sheet_as_text(path: Path) -> Text:
    """Return the only sheet of an Excel file as text, with a comma between cells.

    Raises:
        DataError: it is damaged, has several sheets, or openpyxl is not installed.
    """
    _check_engine(path, "openpyxl")
    try:
        # no header and no conversion: what a cell is shows in the text, as in a .csv
        sheets = pd.read_excel(path, sheet_name=None, header=None, dtype=object, na_filter=False)
    except Exception as error:  # openpyxl's own, and what it lets through from a damaged file
        raise DataError(
            f"{path}: expected an Excel file ({' '.join(str(error).split())[:200]})"
        ) from None
    filled = {name: sheet for name, sheet in sheets.items() if sheet.size}
    if len(filled) != 1:
        got = ", ".join(map(repr, filled)) or "none"
        raise DataError(f"{path}: expected one sheet with cells, got {got}; keep one of them")
    (sheet,) = filled.values()
    content = io.StringIO()
    writer = csv.writer(content)
    for row in sheet.itertuples(index=False):
        cells = [text_of(cell) for cell in row]
        writer.writerow(cells if any(cells) else [])
    return Text(path, "utf-8", len(sheet), True, content.getvalue())


def _check_engine(path: Path, module: str) -> None:
    if find_spec(module) is None:
        raise DataError(f"{path}: reading it needs {module}: pip install {module}")
