"""The cost of penalties by the number of sites, samples and layers."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.speed.cases import Row
from benchmarks.speed.fit import Fit, straight_line


def costs(rows: Sequence[Row], axis: str, kind: str) -> tuple[list[float], list[float]]:
    """Return the numbers of an axis, and the seconds that penalties add to each step."""
    those = [row for row in rows if row.what.startswith(f"{axis}, ")]
    return (
        [row.figures["n"] for row in those],
        [(row.ratio(kind) - 1) * row.times[row.limit].median for row in those],
    )


def line(rows: Sequence[Row], axis: str, kind: str) -> Fit:
    """Return the line fitted to them."""
    return straight_line(*costs(rows, axis, kind))
