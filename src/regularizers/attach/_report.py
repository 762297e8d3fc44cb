"""The report of a regularization, as a printable table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Self

from regularizers._text import table
from regularizers.attach.sites import Entry


@dataclass(frozen=True)
class Row:
    """One site and one penalty of it, or its constraint.

    Attributes:
        site: the name of the module or of the weight; `"model"` for the model itself.
        kind: `"activity"`, `"temporal"`, `"kernel"`, `"bias"` or `"constraint"`.
        penalty: the penalty with its strength as it is now, or the constraint.
        reduce: the reduction of the penalty; `"-"` for a constraint.
        value: the last value of the penalty; None before the first collection, and for a
            constraint.
        zeros: for a proximal weight, the share of its elements that are exactly 0; else None.
    """

    site: str
    kind: str
    penalty: str
    reduce: str
    value: float | None
    zeros: float | None = None


@dataclass(frozen=True, repr=False)
class Report:
    """The sites of a regularization, with their penalties and last values.

    It is what `Regularization.report` returns. Its text is a table; "share" is that of the sum of
    all values.

    Attributes:
        rows (tuple): one for each penalty at each site, then one for each constraint, with the
            fields `site`, `kind`, `penalty`, `reduce`, `value` and `zeros`: what the columns of the
            table show. `value` is None where there is none yet, `zeros` but for proximal weights.
        notes: lines below the table: how far strengths with a target are, and which roles of
            parameters are assumed.

    Example:
        >>> import regularizers as rz
        >>> import torch
        >>> layer = torch.nn.Linear(2, 1)
        >>> _ = torch.nn.init.ones_(layer.weight)
        >>> reg = rz.Regularization(layer, [rz.kernel(rz.L2Squared(0.5))])
        >>> _ = reg.penalty()
        >>> report = reg.report()
        >>> print(report)
        site    kind    penalty         reduce  last value   share
        ------  ------  --------------  ------  ----------  ------
        weight  kernel  L2Squared(0.5)  sum              1  100.0%
        >>> report.rows[0].value
        1.0
    """

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
        """Return the report of entries, with their numbers by key, and of constraints by site.

        Args:
            entries: one for each penalty at each site.
            strengths: the strength of each, by key.
            values: the last value of each that has one, by key.
            zeros: the share of exact zeros in weights of proximal rules, by key.
            constraints: pairs of a site and the text of its constraint.
            notes: lines below the table.
        """
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
