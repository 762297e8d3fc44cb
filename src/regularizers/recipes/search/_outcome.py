"""What a search found."""

from __future__ import annotations

import statistics
from dataclasses import dataclass


@dataclass(frozen=True)
class Tried:
    """One set of strengths, and the inner score of each seed until the trial was ended."""

    values: dict[str, float]
    scores: tuple[float, ...]
    whole: bool
    """Whether all seeds were trained."""

    @property
    def mean(self) -> float:
        """The mean of its scores."""
        return statistics.fmean(self.scores)


@dataclass(frozen=True)
class Outcome:
    """All scores of a search.

    Args:
        trials: those that ended, in the order in which they were tried.
        without: the inner scores without the penalties, a seed each.
        best: the trial with the best mean of all seeds.
        is_better: whether that is better than without.
        outer_without: the scores on what no trial saw, without the penalties, a seed each.
        outer_best: the same with the strengths of the best trial.
    """

    trials: tuple[Tried, ...]
    without: tuple[float, ...]
    best: Tried
    is_better: bool
    outer_without: tuple[float, ...]
    outer_best: tuple[float, ...]
