"""Tables of the results of all trainings."""

from __future__ import annotations

import dataclasses
import itertools
import math
import statistics
from collections.abc import Sequence
from typing import Any

from benchmarks.controllers.plan import CONSTANTS, INITIAL, SEEDS, TARGETS, Results
from benchmarks.controllers.training import Run


def off(results: Sequence[dict[str, Any]], where: str, target: float) -> str:
    """Return mean and largest deviation from the target, in percent."""
    errors = [abs(result[where] / target - 1) * 100 for result in results]
    return f"{statistics.fmean(errors):.1f} / {max(errors):.1f}"


def at_count(results: Results, data: str, target: float, seed: int, *, revive: bool) -> float:
    """Return the explained variance that constant strengths have at the same active count.

    Between two of the grid it is interpolated; nan where the grid does not reach.
    """
    points = sorted(
        (r["validation"], r["explained"])
        for run, r in results.items()
        if isinstance(run, Run)
        and (run.data, run.seed, run.revive) == (data, seed, revive)
        and run.constant in CONSTANTS
    )
    for (low, below), (high, above) in itertools.pairwise(points):
        if low <= target <= high:
            share = math.log(target / low) / math.log(high / low) if low > 0 else 1.0
            return below + share * (above - below)
    return math.nan


def mean(results: Sequence[dict[str, Any]], name: str, digits: int = 3) -> str:
    return f"{statistics.fmean([result[name] for result in results]):.{digits}f}"


def span(results: Sequence[dict[str, Any]]) -> str:
    """Return the least and the largest strength found."""
    strengths = [result["strength"] for result in results]
    return f"{min(strengths):.2g} to {max(strengths):.2g}"


def name_of(data: str) -> str:
    return "digits" if data == "digits" else "MNIST-10k"


def table(header: str, rows: Sequence[Sequence[str]]) -> str:
    columns = header.split(" | ")
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(["| " + " | ".join(line) + " |" for line in lines])


OFF = "off in training, mean / max % | off on validation, mean / max %"


def reached(results: Results, data: Sequence[str]) -> str:
    """Results from all initial strengths, beside constant strengths at the same count."""
    rows = []
    for d, t in itertools.product(data, TARGETS):
        runs = [Run(d, target=t, initial=i, seed=s) for i in INITIAL for s in SEEDS]
        found = [results[run] for run in runs]
        kept = [abs(r["validation"] / t - 1) <= 0.05 for r in found]
        constants = [
            [
                at_count(results, d, results[run]["validation"], run.seed, revive=revive)
                for run in runs
            ]
            for revive in (True, False)
        ]
        explained = [[r["explained"] for r in found], *constants]
        rows.append(
            [
                name_of(d),
                str(t),
                off(found, "training", t),
                off(found, "validation", t),
                f"{sum(kept)} of {len(kept)}",
                *[f"{statistics.fmean(several):.3f}" for several in explained],
                span(found),
            ]
        )
    header = (
        f"data | target | {OFF} | within 5% | explained variance | constant λ at that count, "
        f"revived | constant λ, plain | λ found"
    )
    return table(header, rows)


CHANGES: dict[str, dict[str, Any]] = {
    "batch 32": {"batch": 32},
    "batch 128": {},
    "batch 512": {"batch": 512},
    "loss times 1000": {"times": 1000.0},
}


def untouched(results: Results, data: Sequence[str]) -> str:
    """Results with other batches and another scale of the loss."""
    rows = []
    for d, (what, change) in itertools.product(data, CHANGES.items()):
        runs = [dataclasses.replace(Run(d, target=10, seed=s), **change) for s in SEEDS]
        found = [results[run] for run in runs]
        rows.append(
            [
                name_of(d),
                what,
                off(found, "training", 10),
                off(found, "validation", 10),
                span(found),
            ]
        )
    return table(f"data | target 10, with | {OFF} | λ found", rows)


def constant_rate(results: Results, data: Sequence[str]) -> str:
    """Results with a constant learning rate."""
    rows = []
    for d, t in itertools.product(data, TARGETS):
        found = [results[Run(d, target=t, seed=s, anneal=False)] for s in SEEDS]
        said = sum(["swings" in " ".join(r["said"]) for r in found])
        swing = statistics.fmean([r["last_swing"] / t * 100 for r in found])
        last = [off(found, where, t) for where in ("last_steps", "training")]
        rows.append([name_of(d), str(t), *last, f"{swing:.1f}", f"{said} of {len(found)}"])
    header = (
        "data | target | mean of the last 50 steps off, mean / max % | last weights off, mean / "
        "max % | standard deviation of the last 50 steps, % | warned of"
    )
    return table(header, rows)
