"""Numbers and tables as text."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from benchmarks.speed.cases import Row
from benchmarks.speed.timing import Timing

NOTHING = ""


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(["| " + " | ".join(line) + " |" for line in lines])


def seconds(value: float) -> str:
    """Return a time in a suitable unit."""
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if value >= size:
            return f"{three(value / size)} {unit}"
    return f"{three(value / 1e-6)} µs"


def three(value: float) -> str:
    """Return a number with three significant digits, two below 1."""
    if not math.isfinite(value):
        return "?"
    places = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return _minus(f"{value:.{places}f}")


def ratio(row: Row | None, name: str) -> str:
    """Return the ratio of a contender to the limit; empty if it was not measured."""
    if row is None or name not in row.ratios:
        return NOTHING
    return three(row.ratio(name))


def percent(over: Timing) -> str:
    """Return the excess of a ratio over 1, with its quartiles."""
    low, median, high = [100 * (value - 1) for value in over]
    return f"{_signed(median)}% ({_signed(low)} to {_signed(high)})"


def points(share: float) -> str:
    """Return a difference of two ratios in percent points."""
    return _signed(100 * share)


def _signed(value: float) -> str:
    return _minus(f"{value:+.1f}")


def _minus(text: str) -> str:
    return text.replace("-", "−")


def names(rows: Sequence[Row]) -> list[str]:
    """Return the names of all contenders of the rows, without the limits."""
    return list(dict.fromkeys(name for row in rows for name in row.ratios if name != row.limit))


def spread(rows: Sequence[Row]) -> str:
    """Return the interquartile range of the ratios."""
    apart = sorted(
        (of.high - of.low) / of.median
        for row in rows
        for name, of in row.ratios.items()
        if name != row.limit
    )
    middle, most = 100 * apart[len(apart) // 2], 100 * apart[-1]
    return (
        f"The quartiles of a ratio are {middle:.0f}% of it apart in the median cell and "
        f"{most:.0f}% in the widest."
    )
