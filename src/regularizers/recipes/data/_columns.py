"""Columns of a table: what kind each is, and which of them are used."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from regularizers.errors import DataError
from regularizers.recipes.data._options import TableOptions

Kind = Literal["number", "boolean", "category", "class", "empty"]
"""What the cells of a column are; a class is a category of the target."""


def is_numeric(kind: Kind) -> bool:
    """Return whether the cells of a column are read as numbers."""
    return kind in ("number", "boolean")


def is_text(kind: Kind) -> bool:
    """Return whether the cells of a column are read as texts."""
    return kind in ("category", "class")


@dataclass(frozen=True)
class Column:
    """A column of a table as it was read.

    Args:
        name: its name, or its number from 1 where the file has no names.
        kind: numbers; true and false as 1 and 0; or categories, one feature each. (Columns of
            other kinds are no features.)
        categories: the texts of the categories, in the order of their features.
    """

    name: str
    kind: Kind = "number"
    categories: tuple[str, ...] = ()

    @property
    def features(self) -> tuple[str, ...]:
        """The names of the features that it gives."""
        if self.kind != "category":
            return (self.name,)
        return tuple(f"{self.name}={category}" for category in self.categories)


@dataclass(frozen=True)
class Choice:
    """Which columns of a table are used, by their places from 0.

    Args:
        target: the column of the classes.
        used: the columns of the samples, in the order of the file.
        categorical: those of them that are categories.
        target_is_category: whether the texts of the target are classes whatever they say.
    """

    target: int | None
    used: tuple[int, ...]
    categorical: frozenset[int]
    target_is_category: bool = False


def place_of(path: Path, names: Sequence[str] | None, width: int, name: str, option: str) -> int:
    """Return the place from 0 of the column that an option calls `name`.

    Raises:
        DataError: there is no such column.
    """
    if names is None:
        if name.isascii() and name.isdigit() and 1 <= int(name) <= width:
            return int(name) - 1
        raise DataError(
            f"{path}: expected --{option} to be the number of a column, 1 to {width}, since the "
            f"first line has no names, got {name!r}; if it has, say --header"
        )
    if name in names:
        return names.index(name)
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5) or names[-3:]
    raise DataError(
        f"{path}: expected --{option} to be the name of a column, such as "
        f"{', '.join(map(repr, near))}, got {name!r}"
    )


def choose(
    path: Path,
    names: Sequence[str] | None,
    width: int,
    target: str | None,
    options: TableOptions,
) -> Choice:
    """Return which columns the options use.

    Raises:
        DataError: an option names no column, or the target as a feature, or nothing is left.
    """

    def places(chosen: Iterable[str], option: str) -> list[int]:
        return [place_of(path, names, width, name, option) for name in chosen]

    index = None if target is None else place_of(path, names, width, target, "target")
    dropped = places(options.drop, "drop")
    if index in dropped:
        raise DataError(f"{path}: expected --drop to name features, got the target {target!r}")
    used = places(options.columns, "columns") if options.columns else list(range(width))
    used = sorted(set(used) - {index, *dropped})
    if not used:
        beside = "" if target is None else f" beside the target {target!r}"
        raise DataError(f"{path}: expected columns{beside}, got none")
    categorical = places(options.categorical, "categorical")
    return Choice(index, tuple(used), frozenset(categorical) & {*used}, index in categorical)


def where(names: Sequence[str] | None, index: int) -> str:
    """Return how messages call a column: its number from 1, and its name if there is one."""
    return f"column {index + 1}" + (f" ({names[index]!r})" if names is not None else "")


def check_names(path: Path, names: Sequence[str]) -> None:
    """Raise a `DataError` if two columns have one name."""
    seen: dict[str, int] = {}
    for number, name in enumerate(names, 1):
        if name and name in seen:
            raise DataError(
                f"{path}: expected a name of its own for each column, got {name!r} for columns "
                f"{seen[name]} and {number}; rename one of them"
            )
        seen.setdefault(name, number)
