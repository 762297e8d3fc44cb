"""Tables: the score at each strength, and the figure that the penalty is to change."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from benchmarks.choosing import text
from benchmarks.choosing.data import NAMES
from benchmarks.choosing.plan import TEXT, Results, Run, canonical
from benchmarks.choosing.sweeps import SWEEPS

PERCENT = {"gap", "saturated", "active", "zeros", "units left", "calibration", "first task"}
"""Figures that are shares."""

WORDS = {
    "gap": "the gap to training accuracy, points",
    "saturated": "outputs of tanh beyond ±0.99, %",
    "active": "active hidden units, %",
    "zeros": "weights that are exactly 0, %",
    "units left": "hidden units that still read something, %",
    "condition": "condition number of the hidden kernels, median",
    "calibration": "calibration error, points",
    "first task": "accuracy on the first task, %",
    "step change": "root mean square of h[t+1] − h[t]",
}


def values(results: Results, run: Run, figure: str) -> list[float]:
    """Return a figure of all seeds of a run, of whichever seed; shares in percent."""
    same = canonical(run)
    found = [f[figure] for r, f in results.items() if r[:3] == same[:3]]
    share = figure == "accuracy" or figure in PERCENT
    return [100 * value for value in found] if share else found


def written(results: Results, names: Sequence[str]) -> str:
    """Return a table for each sweep."""
    parts = []
    for name in names:
        if name in SWEEPS:
            sweep = SWEEPS[name]
            data, score, beside, symbol = NAMES, "accuracy", sweep.beside, sweep.symbol
            strengths = sweep.strengths
        else:
            data, score, beside, symbol = (TEXT,), "perplexity", "step change", "λ"
            strengths = text.SWEEPS[name]
        seeds = {
            len(values(results, Run(name, one, strength, 0), score))
            for one in data
            for strength in strengths
        }
        of_seeds = " to ".join(map(str, sorted({min(seeds), max(seeds)})))
        unit = ", %" if score == "accuracy" else ""
        parts += [
            f"**{name}**: {score} on validation{unit}, mean ± deviation of {of_seeds} seeds, and "
            f"in brackets {WORDS[beside]}.",
            _table(results, name, data, symbol, strengths, (score, beside)),
        ]
    return "\n\n".join(parts)


def _table(
    results: Results,
    sweep: str,
    names: Sequence[str],
    symbol: str,
    strengths: Sequence[float],
    figures: tuple[str, str],
) -> str:
    first, *rest = strengths
    header = ["", "without", f"{symbol} = {first:g}", *[f"{s:g}" for s in rest]]
    rows = [header, ["---"] * len(header)]
    for name in names:
        cells = []
        for strength in (0.0, *strengths):
            run = Run(sweep, name, strength, 0)
            score, beside = [values(results, run, figure) for figure in figures]
            cells.append(f"{_spread(score)} ({statistics.fmean(beside):.3g})")
        rows.append([name, *cells])
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def _spread(numbers: Sequence[float]) -> str:
    deviation = statistics.stdev(numbers) if len(numbers) > 1 else 0.0
    return f"{statistics.fmean(numbers):.1f} ± {deviation:.1f}"
