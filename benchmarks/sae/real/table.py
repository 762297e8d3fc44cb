"""The table of trainings: a line for each trainer, at its best rate."""

from __future__ import annotations

from typing import Any

COLUMNS = ("l0", "explained_variance", "recovered", "dead", "seconds")
HEADER = "| | L0 | explained variance | loss recovered | dead | CPU, s |"
KIND = ("site", "active", "batch", "steps", "by", "trainer")

Row = dict[str, Any]


def table(rows: list[Row]) -> str:
    """Return the means over seeds, of each trainer at the rate of the best explained variance.

    Rates with fewer seeds than others are left out.
    """
    lines = [HEADER, "|---|" + "---|" * len(COLUMNS)]
    for kind in sorted({kind_of(row) for row in rows}, key=_place):
        mine = [row for row in rows if kind_of(row) == kind]
        by_rate: dict[float, list[Row]] = {}
        for row in mine:
            by_rate.setdefault(row["rate"], []).append(row)
        most = max(len(some) for some in by_rate.values())
        means = {rate: mean(some) for rate, some in by_rate.items() if len(some) == most}
        rate = max(means, key=lambda r: means[r]["explained_variance"])
        site, active, batch, steps, by, trainer = kind
        seeds = f"{most} seed" + "s" * (most > 1)
        name = f"{site}, {active} active, {steps} × {batch}: {by} {trainer}, {rate:g}, {seeds}"
        best = means[rate]
        shown = f"{best['l0']:.2f} | {best['explained_variance']:.4f} | {best['recovered']:.4f}"
        lines.append(f"| {name} | {shown} | {best['dead']:g} | {best['seconds']:.0f} |")
    return "\n".join(lines)


def kind_of(row: Row) -> tuple[Any, ...]:
    """Return what a line of the table is of."""
    return tuple(row[name] for name in KIND)


def mean(rows: list[Row]) -> dict[str, float]:
    """Return the means of the columns."""
    return {name: sum(row[name] for row in rows) / len(rows) for name in COLUMNS}


def _place(kind: tuple[Any, ...]) -> tuple[Any, ...]:
    *where, by, trainer = kind
    return *where, by != "ours", trainer
