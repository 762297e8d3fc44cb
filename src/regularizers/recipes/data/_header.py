"""Whether the first line of a table holds names or a sample."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from pathlib import Path

from regularizers.errors import DataError

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
TRUTH = {"true": 1.0, "false": 0.0}
"""The words that are read as 1 and 0, in lower case."""

MISSING = frozenset(
    {
        "na",
        "n/a",
        "#n/a",
        "nan",
        "null",
        "none",
        "?",
        "-",
        "--",
        ".",
        "missing",
        "inf",
        "-inf",
        "<na>",
    }
)
"""Texts, in lower case, that stand for a missing value in some files, and are names in others."""

Rows = Sequence[Sequence[str]]


def is_number(cell: str, decimal: str = ".") -> bool:
    """Return whether a cell is a number as it is written in files: no `nan`, `inf` or `1_000`."""
    cell = cell.strip(" \t")
    if decimal != ".":
        if "." in cell:
            return False
        cell = cell.replace(decimal, ".")
    return _NUMBER.fullmatch(cell) is not None


def has_names(
    path: Path, first: Sequence[str], below: Rows, target: str | None, decimal: str
) -> bool:
    """Return whether the first line holds names.

    A target that is a name settles it. Else a first line without any number is names, and one of
    numbers is a sample, unless it could be the other as well.

    Args:
        path: the file, for messages.
        first: the cells of the first line.
        below: those of some lines after it.
        target: the column of the classes.
        decimal: the decimal separator.

    Raises:
        DataError: it could be either.
    """
    number = target is not None and target.isascii() and target.isdigit()
    if target is not None and not number:
        index = first.index(target) if target in first else None
        if index is None or target not in _column(below, index):
            # names, or a target that is nowhere, of which the choice of columns tells
            return index is not None or not _is_sample(first, decimal)
        raise _unclear(path, first, f"and {target!r} is below it in its column, too")
    place = int(target) - 1 if number and target is not None else None
    cells = [cell for i, cell in enumerate(first) if i != place]
    columns = [_column(below, i) for i in range(len(first)) if i != place]
    values = [is_number(cell, decimal) or cell.lower() in TRUTH for cell in cells]
    if not any(values):
        _check_names(path, first, cells, columns)
        return True
    if not all(values):
        raise _unclear(path, first, "with numbers and texts in it")
    # the place of the target is one of the names in a header such as 0,1,2,3
    whole = _like_names(first, [_column(below, i) for i in range(len(first))], decimal)
    if why := whole or _like_names(cells, columns, decimal):
        raise _unclear(path, first, why)
    return False


def _column(rows: Rows, index: int) -> list[str]:
    return [row[index] for row in rows if index < len(row)]


def _is_sample(first: Sequence[str], decimal: str) -> bool:
    return any(is_number(cell, decimal) for cell in first)


def _check_names(
    path: Path, first: Sequence[str], cells: Sequence[str], columns: Sequence[Sequence[str]]
) -> None:
    """Raise a `DataError` if texts in the first line could be values."""
    if any(cell.lower() in MISSING for cell in cells):
        raise _unclear(path, first, "with a text in it that often stands for a missing value")
    if any(cell and cell in column for cell, column in zip(cells, columns, strict=True)):
        raise _unclear(path, first, "and a text of it is below it in its column, too")


def _like_names(cells: Sequence[str], columns: Sequence[Sequence[str]], decimal: str) -> str | None:
    """Return why a line of numbers may be names; None if it is a sample."""
    if not all(is_number(cell, decimal) for cell in cells) or not any(columns):
        return None
    values = [_value(cell, decimal) for cell in cells]
    whole = all(cell.isascii() and cell.isdigit() for cell in cells)
    steps = {b - a for a, b in itertools.pairwise(values)}
    if list(cells) in [list(row) for row in zip(*columns, strict=False)]:
        return None
    rows = [
        [_value(cell, decimal) for cell in row if is_number(cell, decimal)]
        for row in zip(*columns, strict=False)
    ]
    # two columns are called 0 and 1, where 1 and 2 may be anything
    if whole and steps == {1.0} and (len(cells) > 2 or values[0] == 0):
        return "which counts upwards"
    if len(cells) > 2 and _is_even(values) and sum(map(_is_even, rows)) <= len(rows) / 10:
        return "whose numbers are equally far apart"
    if len(cells) > 4 and _is_in_order(values) and sum(map(_is_in_order, rows)) <= len(rows) / 10:
        return "whose numbers are in order"
    if whole and all(_has_fractions(column, decimal) for column in columns):
        return "of whole numbers above others"
    if len(cells) > 1 and all(_is_far(v, c, decimal) for v, c in zip(values, columns, strict=True)):
        return "whose numbers are far from those below"
    if whole and len(cells) > 1 and _are_years(values) and not all(map(_are_years, rows)):
        return "whose numbers may be years"
    return None


def _is_even(values: Sequence[float]) -> bool:
    """Return whether numbers are equally far apart, but not the same."""
    steps = [b - a for a, b in itertools.pairwise(values)]
    reach = max(map(abs, values), default=0.0)
    return bool(steps) and steps[0] != 0 and max(steps) - min(steps) <= 1e-9 * reach


def _is_in_order(values: Sequence[float]) -> bool:
    """Return whether numbers rise, or fall, and none is there twice."""
    up = sorted(values)
    return len({*values}) == len(values) and list(values) in (up, up[::-1])


def _are_years(values: Sequence[float]) -> bool:
    return all(1500 <= value <= 2200 for value in values)


def _value(cell: str, decimal: str) -> float:
    return float(cell.replace(decimal, "."))


def _has_fractions(column: Sequence[str], decimal: str) -> bool:
    numbers = [cell.strip() for cell in column if is_number(cell, decimal)]
    return sum(not cell.lstrip("+-").isdigit() for cell in numbers) > len(numbers) / 2


def _is_far(value: float, column: Sequence[str], decimal: str) -> bool:
    numbers = [_value(cell, decimal) for cell in column if is_number(cell, decimal)]
    if len(numbers) < 5:
        return False
    low, high = min(numbers), max(numbers)
    return value < low - (high - low) or value > high + (high - low)


def _unclear(path: Path, first: Sequence[str], why: str) -> DataError:
    shown = ", ".join(first[:5]) + (", ..." if len(first) > 5 else "")
    return DataError(
        f"{path}, line 1: expected names or a sample, got {shown!r}, {why}; say --header if these "
        f"are the names of the columns, --no-header if they are a sample"
    )
