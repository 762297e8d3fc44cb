"""Tables of targets that move, that are inequalities, and of the loss."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Sequence
from typing import Any

from benchmarks.controllers.plan import (
    LOSSES,
    SEEDS,
    Results,
    classified_loss,
    held,
    of_loss,
    unpenalised,
)
from benchmarks.controllers.tables import OFF, mean, name_of, off, span, table
from benchmarks.controllers.training import ANNEALED, BLOCK, Run
from benchmarks.controllers.warned import warned


def annealed(results: Results, data: Sequence[str]) -> str:
    """Results of a target that falls from 80 to 10 units, beside 10 from the start."""
    rows = []
    for d in data:
        runs = [Run(d, target=10, start=80, seed=s) for s in SEEDS]
        found = [results[run] for run in runs]
        fixed = [results[Run(d, target=10, seed=s)] for s in SEEDS]
        farthest = [deviation(run, results[run]["blocks"]) for run in runs]
        rows.append(
            [
                name_of(d),
                off(found, "training", 10),
                off(found, "validation", 10),
                f"{statistics.fmean(farthest):.1f} / {max(farthest):.1f}",
                mean(found, "explained"),
                mean(fixed, "explained"),
                span(found),
                warned(found),
            ]
        )
    header = (
        f"data | {OFF} | largest on the way, mean / max % | explained variance | that of 10 from "
        f"the start | λ found | warned of"
    )
    text = (
        f"A target that falls from 80 units to 10 along a cosine of {ANNEALED} steps. *On the way* "
        f"is the mean of {BLOCK} steps against that of the schedule."
    )
    return f"{text}\n\n{table(header, rows)}"


def deviation(run: Run, blocks: Sequence[float]) -> float:
    """Return how far the mean of a block of steps was off its schedule at most, in percent."""
    wanted = [
        statistics.fmean([run.schedule.at(step) for step in range(n * BLOCK, (n + 1) * BLOCK)])
        for n in range(len(blocks))
    ]
    return max([abs(b / w - 1) * 100 for b, w in zip(blocks, wanted, strict=True)])


def inequalities(results: Results, data: Sequence[str]) -> str:
    """Results of `at_most` where it binds and where it holds by itself."""
    rows = []
    for d in data:
        equal = [results[Run(d, target=10, seed=s)] for s in SEEDS]
        binding = [results[Run(d, target=10, at_most=True, seed=s)] for s in SEEDS]
        without = [results[unpenalised(d, s)] for s in SEEDS]
        holding = [results[held(d, s)] for s in SEEDS]
        for what, found, other in (
            ("10", binding, equal),
            (f"{held(d, 0).target}, above {held(d, 0).threshold}", holding, without),
        ):
            rows.append(
                [
                    name_of(d),
                    what,
                    mean(found, "validation", 1),
                    mean(found, "explained", 4),
                    "equality" if other is equal else "no penalty",
                    mean(other, "explained", 4),
                    span(found),
                    warned(found),
                ]
            )
    header = (
        "data | at most | active on validation | explained variance | beside | its explained "
        "variance | λ at the end | warned of"
    )
    text = "`at_most=True` where it binds, and where fewer units are above 0.5 by themselves."
    return f"{text}\n\n{table(header, rows)}"


def losses(results: Results, data: Sequence[str]) -> str:
    """Results of a target of the loss, of autoencoders and classifiers."""
    rows = []
    for d, share in itertools.product(data, LOSSES):
        runs = [of_loss(d, share, s) for s in SEEDS]
        assert runs[0].loss is not None
        rows.append(["autoencoder", *_of_loss(d, [results[r] for r in runs], runs[0].loss)])
    for d in data:
        wanted = [classified_loss(d, s) for s in SEEDS]
        assert wanted[0].loss is not None
        rows.append(["classifier", *_of_loss(d, [results[r] for r in wanted], wanted[0].loss)])
    header = "network | data | target | off, mean / max % | λ found | warned of"
    text = (
        f"`TargetLoss`: the mean loss of the last {BLOCK} steps, of autoencoders with L1 of the "
        f"coding, and of classifiers (two layers of 256, Adam, batches of 128) with L2Squared of "
        f"kernels and L1 of activations under one λ."
    )
    return f"{text}\n\n{table(header, rows)}"


def _of_loss(data: str, found: Sequence[dict[str, Any]], wanted: float) -> list[str]:
    return [
        name_of(data),
        f"{wanted:.3g}",
        off(found, "loss", wanted),
        span(found),
        warned(found),
    ]
