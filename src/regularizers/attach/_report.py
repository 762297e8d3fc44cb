"""What a regularization does, as a table a person reads."""

from __future__ import annotations

from dataclasses import dataclass

from regularizers._text import table


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
        return "\n".join([table(cells, right=(4, 5)), *self.notes])

    __repr__ = __str__
