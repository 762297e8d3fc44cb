"""A table as samples: what its columns become, and which of them are left out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from regularizers.errors import DataError
from regularizers.recipes.data._alike import alike, stands_for_missing
from regularizers.recipes.data._columns import Choice, Column, Kind, choose, is_numeric, where
from regularizers.recipes.data._options import TableOptions
from regularizers.recipes.data._values import Floats, Source, Texts, Values

LEAST = 10
"""Samples that are just enough to learn from."""
_UNNAMED = re.compile(r"(Unnamed: \d+)?")
"""No name, or what pandas calls such a column when it reads and writes it."""


@dataclass(frozen=True)
class Table:
    """A table that was read.

    Args:
        x: (samples, features).
        columns: those of the features.
        dropped: the other columns, without the target.
        target: the name of the target.
        labels: the texts of the target.
        names: whether the file has names.
        notes: what was left out.
    """

    x: Floats
    columns: tuple[Column, ...]
    dropped: tuple[str, ...]
    target: str | None
    labels: Texts | None
    names: bool
    notes: tuple[str, ...]


def read_table(source: Source, options: TableOptions, target: str | None) -> Table:
    """Read a table.

    Raises:
        DataError: an option names no column of it, or a cell is not of the kind of its column.
    """
    choice = choose(source.path, source.names, source.width, target, options)
    kinds = {index: _kind(source, index, choice) for index in choice.used}
    asked: dict[int, Kind] = dict(kinds)
    if choice.target is not None:
        asked[choice.target] = "class"
    values = source.read(asked)
    check_enough(source.path, len(values.numbers))
    labels = None
    if choice.target is not None:
        labels = values.texts.pop(choice.target)
        if not choice.target_is_category:
            _check_classes(source, choice.target, labels)
    left, notes = _left_out(source, kinds, values, keep_constant=options.picture is not None)
    used = {index: kind for index, kind in kinds.items() if index not in left}
    if not used:
        raise DataError(
            f"{source.path}: expected columns whose values differ, got none; {'; '.join(notes)}"
        )
    columns = tuple(_column(source, index, kind, values) for index, kind in used.items())
    notes += [note for column in columns for note in _doubts(column)]
    dropped = [i for i in range(source.width) if i not in used and i != choice.target]
    return Table(
        x=features(values, kinds, dict(zip(used, columns, strict=True))),
        columns=columns,
        dropped=tuple(name_of(source, index) for index in dropped),
        target=None if choice.target is None else name_of(source, choice.target),
        labels=labels,
        names=source.names is not None,
        notes=(*source.notes, *notes),
    )


def check_enough(path: Path, samples: int) -> None:
    """Raise a `DataError` if there are too few samples to learn from."""
    if samples < LEAST:
        raise DataError(f"{path}: expected at least {LEAST} samples, got {samples}")


def name_of(source: Source, index: int) -> str:
    """Return the name of a column; its number where it has none."""
    names = source.names
    return str(index + 1) if names is None or not names[index] else names[index]


def features(values: Values, kinds: Mapping[int, Kind], columns: Mapping[int, Column]) -> Floats:
    """Return the features of columns, (samples, features): a category is 1 in one of them.

    Args:
        values: the cells.
        kinds: the columns that were read, in the order of the numbers.
        columns: those of them that are used, by their places, in the order of the features.
    """
    read = [index for index, kind in kinds.items() if is_numeric(kind)]
    if list(columns) == read:
        return values.numbers
    numeric = {index: place for place, index in enumerate(read)}
    if all(column.kind != "category" for column in columns.values()):
        return _chosen(values.numbers, [numeric[index] for index in columns])
    parts = []
    for index, column in columns.items():
        if column.kind != "category":
            parts.append(values.numbers[:, [numeric[index]]])
            continue
        texts = values.texts[index]
        order = np.array([column.categories.index(text) for text in texts.known])
        parts.append(np.eye(len(column.categories))[order[texts.places]])
    joined: NDArray[Any] = np.concatenate(parts, axis=1)
    return joined


def _chosen(numbers: Floats, places: list[int]) -> Floats:
    """Return columns of an array, in its own memory if they are in its order."""
    if places != sorted(places):
        return numbers[:, places]
    for new, old in enumerate(places):
        numbers[:, new] = numbers[:, old]
    return numbers[:, : len(places)]


def _kind(source: Source, index: int, choice: Choice) -> Kind:
    if index in choice.categorical:
        return "category"
    kind = source.kind_of(index)
    # without a name: the cells after the last separator, where each line ends with one
    unnamed = source.names is not None and not source.names[index]
    return "number" if kind == "empty" and not unnamed else kind


def _column(source: Source, index: int, kind: Kind, values: Values) -> Column:
    categories = sorted(values.texts[index].known) if kind == "category" else ()
    return Column(name_of(source, index), kind, tuple(categories))


def _doubts(column: Column) -> Iterator[str]:
    """Yield what a reader should know of the categories of a column."""
    for text in filter(stands_for_missing, column.categories):
        yield f"column {column.name!r}: {text!r} is a category, though it may be a missing cell"
    if same := alike(column.categories):
        yield f"column {column.name!r}: categories that differ in writing alone: {same}"


def _left_out(
    source: Source, kinds: Mapping[int, Kind], values: Values, *, keep_constant: bool
) -> tuple[set[int], list[str]]:
    """Return the columns that say nothing of a sample, and lines that name them."""
    reasons: dict[int, str] = {}
    read = [index for index, kind in kinds.items() if is_numeric(kind)]
    numeric = {index: place for place, index in enumerate(read)}
    for index, kind in kinds.items():
        unnamed = source.names is not None and _UNNAMED.fullmatch(source.names[index]) is not None
        if kind == "empty":
            reasons[index] = "no cell in any row"
        elif kind == "category":
            text, *others = values.texts[index].known
            reasons[index] = "" if others else f"{text!r} in every row"
        elif unnamed or not keep_constant:
            cells = values.numbers[:, numeric[index]]
            reasons[index] = _why_left_out(cells, unnamed, first=index == 0)
    names = {index: where(source.names, index) for index, why in reasons.items() if why}
    if len(names) > 3:
        return {*names}, [
            f"left out, one value in every row or an index: {', '.join(names.values())}"
        ]
    return {*names}, [f"{name} is left out: {reasons[index]}" for index, name in names.items()]


def _why_left_out(cells: NDArray[Any], unnamed: bool, *, first: bool) -> str:
    if (cells == cells[0]).all():
        return f"{cells[0] + 0.0:g} in every row"
    if unnamed and cells[0] in (0, 1) and (np.diff(cells) == 1).all():
        return "an index of the rows"
    # pandas writes the index first, of chosen or shuffled rows with gaps or in another order
    whole = unnamed and first and bool((cells >= 0).all() and (cells == np.rint(cells)).all())
    return "an index of the rows" if whole and len(np.unique(cells)) == len(cells) else ""


def _check_classes(source: Source, target: int, labels: Texts) -> None:
    """Raise a `DataError` if a class may stand for a missing one."""
    for text, place in labels.known.items():
        if stands_for_missing(text):
            row = int(np.flatnonzero(labels.places == place)[0])
            column = where(source.names, target)
            raise DataError(
                f"{source.path}, {source.row(row)}, {column}: expected a class, got {text!r}, "
                f"which often stands for a missing one; drop the row, or say --categorical "
                f"{name_of(source, target)} if it is a class"
            )
