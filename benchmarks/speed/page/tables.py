"""One table for each group of cases."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from benchmarks.speed import control, growth, hooked, sites
from benchmarks.speed.cases import Row
from benchmarks.speed.control import ways
from benchmarks.speed.page import growing
from benchmarks.speed.page.text import (
    names,
    percent,
    points,
    ratio,
    seconds,
    spread,
    table,
    three,
)
from benchmarks.speed.timing import Timing


def ratios(rows: Sequence[Row]) -> str:
    """The time of the limit, and all contenders as multiples of it."""
    parts = []
    for limit in dict.fromkeys(row.limit for row in rows):
        those = [row for row in rows if row.limit == limit]
        columns = names(those)
        lines = [
            [row.what, seconds(row.times[limit].median), *[ratio(row, name) for name in columns]]
            for row in those
        ]
        parts.append(table(["", f"`{limit}`", *columns], lines))
    return "\n\n".join([*parts, spread(rows)])


def values(rows: Sequence[Row]) -> str:
    """All contenders on the largest arrays of all kinds; ours and by hand on the others."""
    exponents = [_exponent(row) for row in rows]
    everywhere = [
        e for e in set(exponents) if exponents.count(e) == max(map(exponents.count, exponents))
    ]
    large = max(everywhere)
    return f"{ratios([row for row in rows if _exponent(row) == large])}\n\n{_by_size(rows)}"


def _by_size(rows: Sequence[Row]) -> str:
    exponents = sorted({_exponent(row) for row in rows})
    by_kind: dict[str, dict[int, Row]] = {}
    for row in rows:
        by_kind.setdefault(row.what.rpartition(", ")[0], {})[_exponent(row)] = row
    lines = [
        [kind, *[_ours_and_by_hand(sizes.get(e)) for e in exponents]]
        for kind, sizes in by_kind.items()
    ]
    return table(["ours / by hand, both eager", *[f"2^{e}" for e in exponents]], lines)


def _exponent(row: Row) -> int:
    return int(row.figures["elements"]).bit_length() - 1


def _ours_and_by_hand(row: Row | None) -> str:
    return "" if row is None else f"{ratio(row, 'ours')} / {ratio(row, 'by hand')}"


def of_sites(rows: Sequence[Row]) -> str:
    """Microseconds that a site adds to its layer."""
    kinds = names(rows)
    lines = []
    for row in rows:
        each = row.times[row.limit].median / row.figures["sites"]
        lines.append(
            [
                row.what,
                seconds(each),
                *[_added(row.ratios[kind], each) if kind in row.ratios else "" for kind in kinds],
            ]
        )
    return table(["µs a site", "a layer without", *kinds], lines)


def _added(over: Timing, without: float) -> str:
    low, median, high = [1e6 * without * (value - 1) for value in over]
    return f"{three(median)} ({three(low)} to {three(high)})"


def of_growth(rows: Sequence[Row]) -> str:
    """The lines fitted to the costs, and the whole times behind them."""
    lines = []
    for axis in growth.AXES:
        for kind in (hooked.OURS, hooked.BY_HAND):
            fit = growing.line(rows, axis.name, kind)
            lines.append(
                [
                    axis.name,
                    kind,
                    f"{three(1e6 * fit.fixed)} µs + {three(1e6 * fit.each)} µs · n",
                    f"{fit.r_squared:.4f}",
                    f"{100 * fit.deviation:.0f}%",
                    three(fit.slope),
                ]
            )
    fits = table(
        ["n", "", "cost", "R²", "largest deviation", "slope of the upper half, log scales"], lines
    )
    columns = [hooked.OURS, hooked.BY_HAND]
    times = table(
        ["", "`without`", *columns],
        [
            [row.what, seconds(row.times[row.limit].median), *[ratio(row, c) for c in columns]]
            for row in rows
        ],
    )
    return f"{fits}\n\n{times}\n\n{spread(rows)}"


def of_steps(rows: Sequence[Row]) -> str:
    """The extra time and memory of steps, relative to steps without penalties."""
    parts = []
    for columns in dict.fromkeys(tuple(names([row])) for row in rows):
        those = [row for row in rows if tuple(names([row])) == columns]
        lines = [
            [row.what, seconds(row.times[row.limit].median), *[_step(row, c) for c in columns]]
            for row in those
        ]
        parts.append(table(["", f"`{those[0].limit}`", *columns], lines))
        notes = dict.fromkeys(row.note for row in those if row.note)
        parts.append("\n".join([f"- {note}" for note in notes]))
    return "\n\n".join([part for part in parts if part])


PEAK = "peak bytes an element over without: "


def _step(row: Row, name: str) -> str:
    peak = row.figures.get(PEAK + name)
    return percent(row.ratios[name]) + ("" if peak is None else f", {three(peak)} B")


def of_control(rows: Sequence[Row]) -> str:
    """The extra time of steps with found strengths and with metrics, over those with neither."""
    penalties, metrics = [], []
    for row in rows:
        without = seconds(row.times[row.limit].median / row.figures["steps"])
        formulas = dict.fromkeys(n.rpartition(", ")[0] for n in names([row]) if ", " in n)
        penalties += [[f"{row.what}: {of}", without, *_strengths(row, of)] for of in formulas]
        cells = [percent(row.ratios[name]) for name in (ways.METRICS, ways.MONITOR)]
        metrics.append([row.what, without, *cells, _added_ratio(row, ways.MONITOR, ways.METRICS)])
    begin, three_ways = ["", f"`{ways.NO_PENALTY}`"], [ways.BY_HAND, ways.NUMBER, ways.TARGET]
    both = table([*begin, *three_ways, f"{ways.TARGET} − {ways.NUMBER}, points"], penalties)
    header = [*begin, ways.METRICS, ways.MONITOR, "added by Monitor / by hand"]
    return f"{both}\n\n{table(header, metrics)}"


def _strengths(row: Row, formula: str) -> list[str]:
    """Return what a penalty adds in each way, and how far a target is from a number."""
    kinds = [ways.name_of(formula, way) for way in (ways.BY_HAND, ways.NUMBER, ways.TARGET)]
    cells = [percent(row.ratios[name]) if name in row.ratios else "" for name in kinds]
    _, number, target = kinds
    apart = points(row.ratio(target) - row.ratio(number)) if target in row.ratios else ""
    return [*cells, apart]


def _added_ratio(row: Row, name: str, to: str) -> str:
    """Return what one contender adds to the limit over what another adds; ? if that is nothing."""
    added = row.ratio(to) - 1
    return three((row.ratio(name) - 1) / added if added > 0 else math.nan)


TABLES: dict[str, Callable[[Sequence[Row]], str]] = {
    "values": values,
    "huge-pages": ratios,
    "in-place": ratios,
    "weights": ratios,
    sites.GROUP: of_sites,
    growth.GROUP: of_growth,
    "steps": of_steps,
    control.GROUP: of_control,
}
