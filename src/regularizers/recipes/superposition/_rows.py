"""The rows of the table and the picture: each trainer, at its best learning rate."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import dataclass

from regularizers.recipes.superposition._figures import Figures
from regularizers.recipes.superposition._trainings import OURS, Training

Results = Mapping[Training, Figures | None]
"""The figures of each training; None where weights were not finite in the end."""


@dataclass(frozen=True)
class Row:
    """The figures of one trainer on one problem, over its seeds."""

    problem: str
    library: str
    architecture: str
    learning_rate: float
    active: float
    """What was asked for."""
    seeds: tuple[Figures, ...]

    @property
    def is_ours(self) -> bool:
        """Whether this library trained it."""
        return self.library == OURS

    def mean(self, name: str) -> float:
        """Return the mean of a figure over the seeds."""
        return statistics.fmean(getattr(one, name) for one in self.seeds)


def best_rows(results: Results) -> list[Row]:
    """Return the rows in the order of `results`, each at the learning rate of the highest mean EV.

    A rate counts only if the weights were finite from every seed. A trainer without one has no row.
    """
    rows: dict[tuple[str, str, str], dict[float, list[tuple[Training, Figures | None]]]] = {}
    for one, figures in results.items():
        rates = rows.setdefault((one.problem, one.library, one.architecture), {})
        rates.setdefault(one.learning_rate, []).append((one, figures))
    best = []
    for key, rates in rows.items():
        ended = [
            Row(*key, rate, pairs[0][0].active, seeds)
            for rate, pairs in rates.items()
            if len(seeds := tuple(f for _, f in pairs if f is not None)) == len(pairs)
        ]
        if ended:
            best.append(max(ended, key=lambda row: row.mean("explained_variance")))
    return best


def without_row(results: Results) -> list[str]:
    """Return the trainers that have no row, by name."""
    named = {f"{row.library} {row.architecture} on {row.problem}" for row in best_rows(results)}
    all_names = [f"{one.library} {one.architecture} on {one.problem}" for one in results]
    return [name for name in dict.fromkeys(all_names) if name not in named]
