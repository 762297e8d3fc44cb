"""Finds the first cell of a table that is not what its column should hold."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Mapping, Sequence

from regularizers.errors import DataError
from regularizers.recipes.data._columns import Kind, is_text, where
from regularizers.recipes.data._header import MISSING, TRUTH, is_number
from regularizers.recipes.data._layout import Layout, records

EXACT = 2.0**53
"""Up to here float64 holds every whole number."""

_DATE = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([ T].*)?|\d{1,2}:\d{2}.*")
_NO_VALUE = re.compile(r"[+-]?(inf|infinity|nan)|\\n|#[a-z0-9/]+[!?]?")
_MINUS = {ord("\u2212"): "-", ord("\u2013"): "-", ord("\u200b"): None, ord("\ufeff"): None}
"""Signs that look like a minus, and characters that are not seen."""


def check_structure(layout: Layout) -> None:
    """Read a table once, and raise a `DataError` if a quote or the width of a line is wrong."""
    _check(layout, {})


def fault(layout: Layout, kinds: Mapping[int, Kind]) -> DataError | None:
    """Return what to say of the first cell that is not of the kind of its column.

    Args:
        layout: the table.
        kinds: the columns that are read, by their places.
    """
    try:
        _check(layout, kinds)
    except DataError as error:
        return error
    return None


def _check(layout: Layout, kinds: Mapping[int, Kind]) -> None:
    path, last = layout.text.path, layout.skip
    for line, cells in records(layout.text, layout.separator, layout.skip):
        if len(cells) != layout.width:
            raise DataError(_of_width(layout, line, cells))
        if layout.width == 1 and line > last + 1 and last > layout.skip:
            raise DataError(
                f"{path}, line {last + 1}: expected a cell, got an empty line; fill or drop it"
            )
        last = line
        for index, kind in kinds.items():
            if why := _why(cells[index], kind, layout.decimal):
                column = where(layout.names, index)
                raise DataError(f"{path}, line {line}, {column}: {why}")


def _of_width(layout: Layout, line: int, cells: Sequence[str]) -> str:
    first = "the header" if layout.names is not None else "the first line"
    cure = "mend the line, or name what separates cells with --separator"
    lengths = {len(row) for row in layout.beginning}
    if layout.names is not None and layout.width > 1 and lengths == {layout.width + 1}:
        cure = (
            "begin the header with a separator if each line begins with the name of its row, or "
            "end it with one if each line does"
        )
    return (
        f"{layout.text.path}, line {line}: expected {layout.width} columns, as in {first}, got "
        f"{len(cells)}; {cure}"
    )


def _why(cell: str, kind: Kind, decimal: str) -> str | None:
    """Return what is wrong with a cell; None if nothing is."""
    if is_text(kind):
        return _why_no_text(cell, kind)
    if kind == "empty":
        return f"expected nothing, as above it, got {cell!r}; name the column" if cell else None
    if kind == "boolean":
        if cell.strip().lower() in TRUTH:
            return None
        return f"expected true or false, as above it, got {cell!r}; write all as numbers"
    if is_number(cell, decimal):
        return _why_not_held(cell.strip(), decimal)
    return f"expected a number, got {cell!r}; {_cure(cell, decimal)}"


def _why_no_text(cell: str, kind: Kind) -> str | None:
    if not cell.strip():
        return f"expected a {kind}, got {cell!r}; fill or drop what is missing first"
    if "\n" in cell or "\r" in cell:
        return f"expected a {kind}, got text with a line break, {cell[:40]!r}; mend the quotes"
    return None


def _why_not_held(cell: str, decimal: str) -> str | None:
    """Return why float64 cannot hold a number that is written well."""
    value = float(cell.replace(decimal, "."))
    if not math.isfinite(value):
        return f"expected a number below 1.8e308, got {cell!r}; scale the column first"
    whole = cell.replace(decimal, ".").partition(".")
    if (
        abs(value) >= EXACT
        and whole[0].lstrip("+-").isdigit()
        and not whole[2].strip("0")
        and int(value) != int(whole[0])
    ):
        return (
            f"expected a whole number that float64 holds, up to 2**53, got {cell!r}; leave the "
            f"column out with --drop, or read it as texts with --categorical"
        )
    return None


def _cure(cell: str, decimal: str) -> str:
    """Return what helps where a cell is no number."""
    cell = cell.strip(" \t")
    if not cell or cell.lower() in MISSING or _NO_VALUE.fullmatch(cell.lower()):
        return "fill or drop what is missing first, or leave the column out with --drop"
    if _DATE.fullmatch(cell):
        return "leave out a column of dates with --drop, or write it as numbers"
    plain = unicodedata.normalize("NFKC", cell).translate(_MINUS).strip()
    if plain != cell and is_number(plain, decimal):
        return f"write it in plain characters, as {plain}"
    if is_number(cell.replace(",", "."), ".") and decimal == ".":
        return "say --decimal , if it is a decimal comma, else write it without separators"
    if is_number(re.sub(r"[,.'_\s\u00a0\u202f]", "", cell), "."):
        return "write numbers without separators of thousands, and --decimal as they are written"
    return (
        "write the column as numbers, read it as texts with --categorical, or leave it out with "
        "--drop"
    )
