"""The picture: the inner score of every trial over each strength."""

from __future__ import annotations

import statistics
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from regularizers.recipes.search._outcome import Outcome
from regularizers.recipes.search._plan import Plan, Strength

_TRIAL, _BEST, _WITHOUT = "#30638e", "#d1495b", "#777777"


def draw(plan: Plan, outcome: Outcome, title: str, path: Path) -> None:
    """Draw a panel for each strength, with the trials, the best of them, and the level without.

    Args:
        plan: the names and the ranges.
        outcome: the trials.
        title: the data and the network.
        path: the PNG file to write.
    """
    count = len(plan.strengths)
    figure = Figure(figsize=(max(4.2 * count, 7), 4.4), layout="constrained")
    figure.suptitle(title, fontsize=11)
    panels = figure.subplots(1, count, squeeze=False, sharey=True)[0]
    for axes, strength in zip(panels, plan.strengths, strict=True):
        _show(axes, strength, outcome)
    low, high = _shown(outcome)
    panels[0].set_ylim(low, high)
    panels[0].set_ylabel(f"inner {plan.score}{plan.unit}")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False, fontsize=9)
    figure.savefig(path, dpi=110)


def _show(axes: Axes, strength: Strength, outcome: Outcome) -> None:
    name = strength.name
    if strength.log:
        axes.set_xscale("log")
    mean = statistics.fmean(outcome.without)
    axes.axhline(mean, color=_WITHOUT, linewidth=1, linestyle="--", label="without")
    if len(outcome.without) > 1:
        spread = statistics.stdev(outcome.without)
        axes.axhspan(mean - spread, mean + spread, color=_WITHOUT, alpha=0.12, linewidth=0)
    low, high = _shown(outcome)
    early = [t for t in outcome.trials if not t.whole and t.scores]
    for marker, label, some in (
        ("o", "ended early: mean of its seeds", [t for t in early if low <= t.mean <= high]),
        ("v", "ended early, below the panel", [t for t in early if t.mean < low]),
        ("^", "ended early, above the panel", [t for t in early if t.mean > high]),
    ):
        if some:
            heights = [min(max(t.mean, low), high) for t in some]
            axes.plot(
                [t.values[name] for t in some],
                heights,
                marker,
                color=_TRIAL,
                fillstyle="none",
                clip_on=False,
                label=label,
            )
    whole = [t for t in outcome.trials if t.whole and t is not outcome.best]
    if whole:
        axes.errorbar(
            [t.values[name] for t in whole],
            [t.mean for t in whole],
            yerr=[_deviation(t.scores) for t in whole],
            fmt="o",
            color=_TRIAL,
            elinewidth=1,
            label="trial: mean and deviation of all seeds",
        )
    best = outcome.best
    axes.errorbar(
        best.values[name],
        best.mean,
        yerr=_deviation(best.scores),
        fmt="*",
        color=_BEST,
        markersize=14,
        label="best trial",
        zorder=3,
    )
    axes.set_xlabel(name)
    axes.spines[["top", "right"]].set_visible(False)


def _shown(outcome: Outcome) -> tuple[float, float]:
    """Return the range of the scores that are shown: those of whole trials, and without."""
    whole = [trial.scores for trial in outcome.trials if trial.whole]
    several = [
        (statistics.fmean(scores), _deviation(scores)) for scores in (outcome.without, *whole)
    ]
    low, high = min(m - d for m, d in several), max(m + d for m, d in several)
    room = 0.15 * (high - low) or 0.5
    return low - room, high + room


def _deviation(scores: tuple[float, ...]) -> float:
    return statistics.stdev(scores) if len(scores) > 1 else 0.0
