"""The report of a regularization, as a printable table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Self

from regularizers._text import table
from regularizers.attach.sites import Entry


@dataclass(frozen=True)
class Row:
    """One site and one penalty of it, or its constraint."""

    site: str
    kind: str
    penalty: str
    reduce: str
    value: float | None
    zeros: float | None = None
    """For a proximal weight: the share of its elements that are exactly 0."""


@dataclass(frozen=True, repr=False)
class Report:
    """The sites of a regularization, with their penalties and last values."""

    rows: tuple[Row, ...]
    notes: tuple[str, ...]

    @classmethod
    def of(
        cls,
        entries: Iterable[Entry],
        strengths: Mapping[str, float],
        values: Mapping[str, float],
        zeros: Mapping[str, float],
        constraints: Iterable[tuple[str, str]],
        notes: Iterable[str],
    ) -> Self:
        """Return the report of entries, with their numbers by key, and of constraints by site."""
        rows = [
            Row(
                entry.site,
                entry.kind,
                entry.penalty_of(strengths[entry.key]),
                entry.term.reduce or "sum",
                values.get(entry.key),
                zeros.get(entry.key),
            )
            for entry in entries
        ]
        rows += [Row(site, "constraint", name, "-", None) for site, name in constraints]
        return cls(tuple(rows), tuple(notes))

    def __str__(self) -> str:
        total = sum(row.value for row in self.rows if row.value is not None)
        shrunk = any(row.zeros is not None for row in self.rows)
        names = ("site", "kind", "penalty", "reduce", "last value", "share", "zeros")
        cells = [names if shrunk else names[:-1]]
        for row in self.rows:
            value = "-" if row.value is None else f"{row.value:.6g}"
            share = "-" if row.value is None or not total else f"{row.value / total:.1%}"
            zeros = "-" if row.zeros is None else f"{row.zeros:.1%}"
            cell = (row.site, row.kind, row.penalty, row.reduce, value, share, zeros)
            cells.append(cell if shrunk else cell[:-1])
        return "\n".join([table(cells, right=(4, 5, 6)), *self.notes])

    __repr__ = __str__
