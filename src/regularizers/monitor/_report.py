"""The report of a monitor, as a printable table."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from regularizers._text import table


@dataclass(frozen=True)
class ReportRow:
    """One site or pair, with the first number of each metric.

    Attributes:
        site: the name of the site or pair.
        is_pair: whether it is a target with its reconstruction.
        samples: the number of samples that were read.
        units: the units of a sample, on average; NaN before any sample.
        values: the first number of each metric by its name.
    """

    site: str
    is_pair: bool
    samples: int
    units: float
    values: dict[str, float]


@dataclass(frozen=True, repr=False)
class MonitorReport:
    """The sites of a monitor with their numbers, and notes on faults.

    It is what `Monitor.report` returns. Its text is a table, of the first number of each metric.

    Attributes:
        rows (tuple): one for each site and pair, with the fields `site`, `is_pair`, `samples`,
            `units` (of a sample, on average) and `values`, numbers by the name of their metric.
        notes: lines below the table, such as dead units, sites that were never read and numbers
            that are not finite.

    Example:
        >>> import regularizers as rz
        >>> import torch
        >>> layer = torch.nn.ReLU()
        >>> monitor = rz.Monitor(layer, "", [rz.monitor.ActiveUnits(), rz.monitor.Norm()])
        >>> _ = layer(torch.tensor([[3.0, 4.0], [0.0, 0.0]]))
        >>> report = monitor.report()
        >>> print(report)
        site    samples  units  active_units  norm
        ------  -------  -----  ------------  ----
        (root)        2      2             1   2.5
        >>> report.rows[0].values["norm"]
        2.5
    """

    rows: tuple[ReportRow, ...]
    notes: tuple[str, ...]

    def __str__(self) -> str:
        sites = [row for row in self.rows if not row.is_pair]
        pairs = [row for row in self.rows if row.is_pair]
        tables = [_table(rows) for rows in (sites, pairs) if rows]
        return "\n".join(["\n\n".join(tables), *self.notes])

    __repr__ = __str__


def general_notes(row: ReportRow, when: str, missed: str | None) -> Iterator[str]:
    """Yield the faults of any site: no sample was seen, or a number is not finite.

    Args:
        row: the row of the site.
        when: which forwards were to be read.
        missed: why none was, if that is known.
    """
    if not row.samples and missed is not None:
        yield f"{row.site}: no sample was seen in {when}; {missed}"
        return
    if not row.samples:
        why = (
            "do both sides run within one forward of the model?"
            if row.is_pair
            else "is it called by the forward, as module(x) and not as module.forward(x)?"
        )
        yield (
            f"{row.site}: no sample was seen in {when}; {why} A model that is compiled must be "
            f"compiled after its monitor is made"
        )
        return
    wrong = [name for name, value in row.values.items() if not math.isfinite(value)]
    if wrong:
        yield f"{row.site}: {', '.join(wrong)} not finite"


def _table(rows: Sequence[ReportRow]) -> str:
    names = list(dict.fromkeys(name for row in rows for name in row.values))
    header = ("pair" if rows[0].is_pair else "site", "samples", "units", *names)
    cells = [header]
    for row in rows:
        numbers = [row.units, *[row.values.get(name) for name in names]]
        shown = ["-" if n is None or not row.samples else f"{n:.4g}" for n in numbers]
        cells.append((row.site, str(row.samples), *shown))
    return table(cells, right=range(1, len(header)))
