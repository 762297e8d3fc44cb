"""Tables of what was forgotten and what was learned."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence

from benchmarks.forgetting.plan import Key, Results
from benchmarks.forgetting.training import Result

HEADER = "tasks | method | λ | first, before | first, after | second | mean of both"


def mean(results: Sequence[Result]) -> float:
    """Return the accuracy on both tasks in the end, over them and the seeds."""
    return statistics.fmean([(result.first + result.second) / 2 for result in results])


def best_strength(results: Results, pair: str, method: str) -> Key:
    """Return the strength of a method with the highest mean on both tasks."""
    return max(
        [key for key in results if key[:2] == (pair, method)], key=lambda key: mean(results[key])
    )


def best(results: Results) -> str:
    """Return the table of each method at its best strength."""
    chosen = dict.fromkeys(best_strength(results, pair, method) for pair, method, _ in results)
    return _table(results, list(chosen))


def whole(results: Results) -> str:
    """Return the table of every strength."""
    return _table(results, list(results))


def _table(results: Results, keys: Sequence[Key]) -> str:
    lines = [HEADER.split(" | "), ["---"] * 7]
    for key in keys:
        pair, method, strength = key
        several = results[key]
        lines.append(
            [
                pair,
                method,
                f"{strength:g}" if strength else "",
                _spread(several, lambda r: r.before),
                _spread(several, lambda r: r.first),
                _spread(several, lambda r: r.second),
                f"{100 * mean(several):.1f}",
            ]
        )
    return "\n".join(["| " + " | ".join(line) + " |" for line in lines])


def _spread(several: Sequence[Result], number: Callable[[Result], float]) -> str:
    """Return mean and standard deviation over seeds, in percent."""
    values = [100 * number(result) for result in several]
    deviation = statistics.stdev(values) if len(values) > 1 else 0.0
    return f"{statistics.fmean(values):.1f} ± {deviation:.1f}"
