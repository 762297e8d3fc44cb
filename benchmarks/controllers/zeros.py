"""The table of a share of exact zeros, against constant strengths."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Sequence
from typing import Any, NamedTuple

from benchmarks.controllers.classifier import Classifier
from benchmarks.controllers.plan import KERNEL_CONSTANTS, SEEDS, ZEROS, Results
from benchmarks.controllers.tables import name_of, table
from benchmarks.controllers.warned import warned


class Point(NamedTuple):
    """The mean results of one strength over all seeds."""

    zeros: float
    accuracy: float


def point(found: Sequence[dict[str, Any]]) -> Point:
    return Point(*[statistics.fmean([r[name] for r in found]) for name in Point._fields])


def at_zeros(points: Sequence[Point], zeros: float) -> float:
    """Return the accuracy of constant strengths at a share of zeros, on lines between them."""
    for low, high in itertools.pairwise(sorted(points)):
        if low.zeros <= zeros <= high.zeros:
            share = (zeros - low.zeros) / ((high.zeros - low.zeros) or 1.0)
            return low.accuracy + share * (high.accuracy - low.accuracy)
    return math.nan


def best(points: Sequence[Point], zeros: float) -> float:
    """Return the best accuracy among constant strengths with at least so many zeros."""
    return max([p.accuracy for p in points if p.zeros >= zeros], default=math.nan)


def zeros(results: Results, data: Sequence[str]) -> str:
    """Zeros and accuracy of the target and of all constant strengths."""
    columns = []
    for d in data:
        constants = [_found(results, d, constant=c) for c in KERNEL_CONSTANTS]
        points = [point(found) for found in constants]
        target = _found(results, d, zeros=ZEROS)
        compared = [best(points, ZEROS), at_zeros(points, ZEROS)]
        compared.append(at_zeros(points, point(target).zeros))
        columns.append(
            [
                _cells(target),
                *[["", f"{100 * accuracy:.2f}", ""] for accuracy in compared],
                _cells(_found(results, d, constant=0.0)),
                *map(_cells, constants),
            ]
        )
    names = [
        f"`TargetZeros({ZEROS})`",
        f"best constant with {ZEROS:.0%} or more",
        f"constants interpolated to {ZEROS:.0%}",
        "constants interpolated to the zeros of the target",
        "no penalty",
        *[f"{c:.2g}" for c in KERNEL_CONSTANTS],
    ]
    rows = [[name, *itertools.chain(*cells)] for name, *cells in zip(names, *columns, strict=True)]
    header = " | ".join(
        ["strength", *[f"{name_of(d)}: zeros % | validation accuracy % | warned of" for d in data]]
    )
    text = (
        "L1 of all kernels, proximal, with Adam at 1e-3 in a classifier of two layers of 256, "
        "batches of 32; means of three seeds ± the standard error."
    )
    return f"{text}\n\n{table(header, rows)}"


def _found(results: Results, data: str, **settings: float) -> list[dict[str, Any]]:
    return [results[Classifier(data, seed=s, **settings)] for s in SEEDS]  # type: ignore[arg-type]


def _cells(found: Sequence[dict[str, Any]]) -> list[str]:
    accuracy = [100 * r["accuracy"] for r in found]
    error = statistics.stdev(accuracy) / math.sqrt(len(accuracy))
    return [
        f"{100 * point(found).zeros:.1f}",
        f"{statistics.fmean(accuracy):.2f} ± {error:.2f}",
        warned(found),
    ]
