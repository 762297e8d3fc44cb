"""The table: strengths and scores, without the penalties and with the best."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from regularizers._text import table
from regularizers.recipes.search._outcome import Outcome
from regularizers.recipes.search._plan import Plan


def outcome_table(plan: Plan, outcome: Outcome) -> str:
    """Return the table of a search, with notes on what it says."""
    names = [strength.name for strength in plan.strengths]
    header = ("", *names, *[f"{part} {plan.score}{plan.unit}" for part in ("inner", "outer")])
    best = outcome.best.values
    cells = [
        header,
        ("without", *["0"] * len(names), *map(_spread, (outcome.without, outcome.outer_without))),
        (
            "best trial",
            *[f"{best[name]:g}" for name in names],
            *map(_spread, (outcome.best.scores, outcome.outer_best)),
        ),
    ]
    return "\n".join([table(cells, right=range(1, len(header))), *_notes(plan, outcome)])


def _notes(plan: Plan, outcome: Outcome) -> list[str]:
    seeds = len(plan.seeds)
    early = sum(not trial.whole for trial in outcome.trials)
    return [
        *(["Mean ± standard deviation of " + f"{seeds} seeds."] if seeds > 1 else []),
        "Inner: parts of the training samples, by which the trials were compared. It is the best "
        f"of {len(outcome.trials)} trials and flatters"
        + (f"; {early} ended early." if early else "."),
        "Outer: samples that no trial saw.",
        _difference(plan, outcome),
    ]


def _difference(plan: Plan, outcome: Outcome) -> str:
    """Say what the strengths are worth on the outer part, seed by seed."""
    by_seed = [b - a for a, b in zip(outcome.outer_without, outcome.outer_best, strict=True)]
    mean = statistics.fmean(by_seed)
    text = f"On the outer part the best trial changes the {plan.score} by {mean:+z.2f}"
    if len(by_seed) == 1:
        return f"{text}; one seed says nothing of chance."
    error = statistics.stdev(by_seed) / math.sqrt(len(by_seed))
    verdict = "more" if abs(mean) > 2 * error else "no more"
    return (
        f"{text} (seed by seed {', '.join(f'{x:+z.2f}' for x in by_seed)}), {verdict} than twice "
        f"its standard error, {error:.2f}."
    )


def _spread(scores: Sequence[float]) -> str:
    mean = f"{statistics.fmean(scores):.2f}"
    return mean if len(scores) == 1 else f"{mean} ± {statistics.stdev(scores):.2f}"
