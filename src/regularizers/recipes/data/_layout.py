"""How a text file is laid out as a table: its separator, its names, where its samples begin."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from regularizers.errors import DataError
from regularizers.recipes.data._columns import check_names
from regularizers.recipes.data._header import Rows, has_names, is_number
from regularizers.recipes.data._options import TableOptions
from regularizers.recipes.data._text import Text

_CANDIDATES = {",": "comma", "\t": "tab", ";": "semicolon"}
_LINES, _CELLS = 1000, 100_000
"""Lines, and cells, that are looked at before a file is read."""

# a cell may hold anything: the width of each line is checked, and so are the quotes
csv.field_size_limit(1 << 30)


@dataclass(frozen=True)
class Layout:
    """Where the cells of a table are.

    Args:
        text: the file.
        separator: what separates cells.
        skip: how many lines of the file stand before the first sample.
        names: the names of the columns, None if the file has none.
        width: the number of columns.
        decimal: the decimal separator.
        beginning: the cells of the first samples.
        notes: what was passed over.
    """

    text: Text
    separator: str
    skip: int
    names: tuple[str, ...] | None
    width: int
    decimal: str
    beginning: Rows
    notes: tuple[str, ...]


def records(text: Text, separator: str, skip: int) -> Iterator[tuple[int, list[str]]]:
    """Yield the number of each line that is not empty, and its cells; a quoted cell may have more.

    Args:
        text: the file.
        separator: what separates cells.
        skip: how many lines to pass over first.

    Raises:
        DataError: a quote is where none can be.
    """
    with text.lines() as file:
        for _ in range(skip):
            file.readline()
        reader = csv.reader(file, delimiter=separator, skipinitialspace=True, strict=True)
        line = skip + 1
        try:
            for cells in reader:
                if len(cells) > 1 or "".join(cells).strip(" \t"):
                    yield line, cells
                line = skip + reader.line_num + 1
        except csv.Error as error:
            raise DataError(
                f"{text.path}, line {line}: expected quotes in pairs around whole cells, got a "
                f"stray one ({error}); take it out, or double a quote that is part of a cell"
            ) from None


def lay_out(text: Text, options: TableOptions, target: str | None) -> Layout:
    """Return the layout of a file.

    Raises:
        DataError: it has no samples, or its separator or its header cannot be told.
    """
    skip, declared = _declared(text)
    separator = options.separated_by or declared or _separator(text, skip, options.decimal)
    some = _beginning(text, separator, skip)
    notes = []
    while len(some) > 1 and some[0][1][0].startswith("#") and len(some[0][1]) != len(some[1][1]):
        skip, cells = some.pop(0)
        shown = separator.join(cells)[:60]
        notes.append(f"{text.path.name}, line {skip}: a comment, not read: {shown}")
    if not some:
        raise DataError(f"{text.path}: expected rows of numbers, got none")
    line, first = some[0]
    below = [cells for _, cells in some[1:]]
    names, samples = None, [first, *below]
    if target not in first and _is_title(first, below, options.decimal):
        raise DataError(
            f"{text.path}, line {line}: expected the names of columns or a sample, got "
            f"{''.join(first)[:60]!r} alone; take out what stands above the table"
        )
    if options.names_first or (
        options.names_first is None and has_names(text.path, first, below, target, options.decimal)
    ):
        check_names(text.path, first)
        names, samples = tuple(first), below
        # the header may have lines within quotes
        skip = line + sum(cell.count("\n") for cell in first)
    if not samples:
        raise DataError(f"{text.path}: expected rows of numbers, got none")
    return Layout(text, separator, skip, names, len(first), options.decimal, samples, tuple(notes))


def _is_title(first: Sequence[str], below: Rows, decimal: str) -> bool:
    """Return whether the first line holds one text, where those below it have more cells."""
    filled = [cell for cell in first if cell]
    if len(first) == 2 or len(filled) != 1 or is_number(filled[0], decimal):
        return False
    return sum(sum(map(bool, row)) > 2 for row in below) > len(below) / 2


def _beginning(text: Text, separator: str, skip: int) -> list[tuple[int, list[str]]]:
    """Return the first lines of a table, with the spaces around their cells taken away."""
    some, left = [], _CELLS
    for line, cells in itertools.islice(records(text, separator, skip), _LINES):
        some.append((line, [cell.strip() for cell in cells]))
        left -= len(cells)
        if left < 0 and len(some) > 20:
            break
    return some


def _declared(text: Text) -> tuple[int, str | None]:
    """Return how many lines stand before the table, and the separator that they state."""
    with text.lines() as file:
        line = file.readline().strip("\r\n")
    # as spreadsheets write it
    return (1, line[4]) if line.lower().startswith("sep=") and len(line) == 5 else (0, None)


def _separator(text: Text, skip: int, decimal: str) -> str:
    """Return the separator that the first lines show.

    Raises:
        DataError: they show none, or several.
    """
    lines = _lines(text, skip)
    while len(lines) > 1 and lines[0].startswith("#"):
        del lines[0]
    widths: dict[str, set[int]] = {}
    for candidate in _CANDIDATES:
        if candidate == decimal:
            continue
        # not strict: with another separator quotes stand elsewhere
        rows = csv.reader(lines, delimiter=candidate, skipinitialspace=True)
        found = {len(row) for row in rows if row}
        if found != {1}:
            widths[candidate] = found
    even = [candidate for candidate, found in widths.items() if len(found) == 1]
    if len(even) == 1:
        return even[0]
    if len(widths) == 1:
        return next(iter(widths))
    if not widths and not any(_holds_several(line) for line in lines):
        return ";" if decimal == "," else ","
    if "\t" in widths and text.path.name.lower().removesuffix(".gz").endswith((".tsv", ".tab")):
        return "\t"
    got = " and ".join(_CANDIDATES[c] for c in widths) or "none of comma, tab and semicolon"
    raise DataError(
        f"{text.path}: expected one separator of cells, got {got} in {lines[0].strip()[:60]!r}; "
        f"name it with --separator (a character, or comma, tab, semicolon, space, pipe)"
    )


def _lines(text: Text, skip: int) -> list[str]:
    lines, left = [], 10 * _CELLS
    with text.lines() as file:
        for line in itertools.islice(file, skip, skip + _LINES):
            if line.strip():
                lines.append(line)
            left -= len(line)
            if left < 0 and len(lines) > 20:
                break
    return lines


def _holds_several(line: str) -> bool:
    """Return whether a line without a separator still looks like several cells."""
    return len(line.replace("|", " ").replace(":", " ").split()) > 1 and '"' not in line
