"""What a regularization does, as a table a person reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One site and one penalty of it."""

    site: str
    kind: str
    penalty: str
    reduce: str
    value: float | None


@dataclass(frozen=True, repr=False)
class Report:
    """The sites of a regularization with what each contributed to the last collection."""

    rows: tuple[Row, ...]
    notes: tuple[str, ...]

    def __str__(self) -> str:
        total = sum(row.value for row in self.rows if row.value is not None)
        cells = [("site", "kind", "penalty", "reduce", "last value", "share")]
        for row in self.rows:
            value = "-" if row.value is None else f"{row.value:.6g}"
            share = "-" if row.value is None or not total else f"{row.value / total:.1%}"
            cells.append((row.site, row.kind, row.penalty, row.reduce, value, share))
        lines = table(cells, right=(4, 5))
        lines += ["", *self.notes] if self.notes else []
        return "\n".join(lines)

    __repr__ = __str__


def table(cells: Sequence[Sequence[str]], right: Sequence[int] = ()) -> list[str]:
    """Return the lines of a table: a header, a rule, and rows; columns in `right` flush right."""
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        "  ".join(
            cell.rjust(width) if i in right else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    ]
    return [lines[0], "  ".join("-" * width for width in widths), *lines[1:]]
