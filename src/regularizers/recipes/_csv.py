"""Reads tables in CSV."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from regularizers.errors import DataError


@dataclass(frozen=True)
class Table:
    """The cells of a file as text; all rows have the same length."""

    path: Path
    names: list[str] | None
    """The first line, if none of its cells is a number."""
    lines: list[int]
    """The line number of each row."""
    rows: list[list[str]]

    @property
    def width(self) -> int:
        """The number of columns."""
        return len(self.rows[0])

    def column(self, index: int) -> list[str]:
        """Return the cells of one column, stripped."""
        return [row[index].strip() for row in self.rows]

    def numbers(self, columns: Sequence[int]) -> NDArray[np.float64]:
        """Return these columns as numbers.

        Raises:
            DataError: a cell is none.
        """
        for line, row in zip(self.lines, self.rows, strict=True):
            for index in columns:
                self._check(line, index, row[index])
        return np.array([[float(row[index]) for index in columns] for row in self.rows])

    def _check(self, line: int, index: int, cell: str) -> None:
        if is_number(cell) and math.isfinite(float(cell)):
            return
        name = f" ({self.names[index]!r})" if self.names is not None else ""
        lacking = is_number(cell) or not cell.strip()
        cure = "fill or drop what is missing" if lacking else "write the column as numbers"
        raise DataError(
            f"{self.path}, line {line}, column {index + 1}{name}: expected a number, "
            f"got {cell!r}; {cure} first"
        )


def read_table(path: Path, content: bytes) -> Table:
    """Parse the table in `content`.

    Raises:
        DataError: it is no text, has no rows, or a row is longer or shorter than the first.
    """
    try:
        lines = content.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: expected text in UTF-8 ({error})") from None
    rows = [(number, row) for number, row in enumerate(csv.reader(lines), 1) if row]
    names = None
    if rows and not any(is_number(cell) for cell in rows[0][1]):
        names = [cell.strip() for cell in rows[0][1]]
        rows = rows[1:]
    if not rows:
        raise DataError(f"{path}: expected rows of numbers, got none")
    width = len(rows[0][1]) if names is None else len(names)
    for number, row in rows:
        if len(row) != width:
            raise DataError(
                f"{path}, line {number}: expected {width} columns, as in the first row, "
                f"got {len(row)}"
            )
    return Table(path, names, [number for number, _ in rows], [row for _, row in rows])


def is_number(cell: str) -> bool:
    """Return whether a cell parses as a number, `inf` and `nan` included."""
    try:
        float(cell)
    except ValueError:
        return False
    return True
