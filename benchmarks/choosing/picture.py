"""The pictures: the score over strength, a panel for each penalty and data set."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path

from benchmarks.choosing import text
from benchmarks.choosing.data import NAMES
from benchmarks.choosing.plan import TEXT, Results, Run
from benchmarks.choosing.sweeps import SWEEPS
from benchmarks.choosing.tables import PERCENT, values
from matplotlib.axes import Axes
from matplotlib.figure import Figure

_SCORE, _BESIDE, _WITHOUT = "#0072B2", "#D55E00", "#777777"

_SHOWN = 14
"""Points below the best that a panel shows of accuracies."""

OVERFITTING = ("weight decay", "L1 of kernels", "dropout", "L1 of activations")
"""The sweeps of the first picture: what narrows the gap."""


def draw(results: Results, folder: Path) -> None:
    """Draw the pictures of the page into a folder.

    `choosing-gap.png` has what narrows a gap, `choosing-others.png` what mends something else, with
    that in a second colour, and `choosing-text.png` AR and TAR.
    """
    others = [name for name in SWEEPS if name not in OVERFITTING]
    _grid(results, OVERFITTING, folder / "choosing-gap.png")
    _grid(results, others, folder / "choosing-others.png", beside=True)
    figure = Figure(figsize=(8, 3), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    for axes, (name, strengths) in zip(panels, text.SWEEPS.items(), strict=True):
        _curve(axes, results, name, TEXT, strengths, "perplexity")
        axes.set_xlabel(f"λ of {name}")
    panels[0].set_ylabel("perplexity on validation")
    panels[0].legend(frameon=False, fontsize=8)
    figure.savefig(folder / "choosing-text.png", dpi=110)


def _grid(results: Results, names: Sequence[str], path: Path, *, beside: bool = False) -> None:
    """Draw a row of panels for each sweep, and a column for each data set."""
    figure = Figure(figsize=(10.5, 1.9 * len(names) + 0.6), layout="constrained")
    panels = figure.subplots(len(names), len(NAMES), squeeze=False)
    for row, name in enumerate(names):
        sweep = SWEEPS[name]
        for axes, data in zip(panels[row], NAMES, strict=True):
            _curve(axes, results, name, data, sweep.strengths, "accuracy")
            if sweep.symbol == "target" and sweep.strengths[0] > sweep.strengths[-1]:
                axes.invert_xaxis()
            if row == 0:
                axes.set_title(data, fontsize=10)
            axes.set_xlabel(f"{sweep.symbol} of {name}", fontsize=8)
            axes.tick_params(labelsize=8)
            if beside:
                _beside(axes, results, name, data)
        panels[row][0].set_ylabel("accuracy, %", fontsize=8)
    handles, labels = panels[0][0].get_legend_handles_labels()
    if beside:
        handles += figure.axes[-1].get_lines()[:1]
        labels.append("what it is to change (right)")
    figure.legend(
        handles, labels, loc="outside upper center", ncols=len(labels), frameon=False, fontsize=9
    )
    figure.savefig(path, dpi=110)


def _curve(
    axes: Axes,
    results: Results,
    sweep: str,
    data: str,
    strengths: Sequence[float],
    figure: str,
) -> None:
    scores = [values(results, Run(sweep, data, s, 0), figure) for s in strengths]
    without = values(results, Run(sweep, data, 0.0, 0), figure)
    mean, deviation = statistics.fmean(without), _deviation(without)
    axes.axhline(mean, color=_WITHOUT, linewidth=1, linestyle="--", label="without")
    axes.axhspan(mean - deviation, mean + deviation, color=_WITHOUT, alpha=0.15, linewidth=0)
    axes.errorbar(
        strengths,
        [statistics.fmean(several) for several in scores],
        yerr=[_deviation(several) for several in scores],
        fmt="o-",
        color=_SCORE,
        markersize=4,
        capsize=2,
        label="validation: mean and deviation of the seeds",
    )
    if max(strengths) / min(strengths) > 10:
        axes.set_xscale("log")
    axes.set_xticks(strengths, [f"{s:g}" for s in strengths])
    axes.minorticks_off()
    if figure == "accuracy":
        # a strength at which nothing is learned would leave the others no room
        lowest = min(map(statistics.fmean, scores))
        highest = max([mean, *map(statistics.fmean, scores)])
        if highest - lowest > _SHOWN:
            axes.set_ylim(min(highest - _SHOWN, mean - 1), highest + 1.5)
    axes.spines[["top", "right"]].set_visible(False)


def _beside(axes: Axes, results: Results, name: str, data: str) -> None:
    """Show the figure that the penalty is to change on a second axis, in a second colour."""
    sweep = SWEEPS[name]
    other = axes.twinx()
    means = [
        statistics.fmean(values(results, Run(name, data, s, 0), sweep.beside))
        for s in sweep.strengths
    ]
    other.plot(sweep.strengths, means, "s:", color=_BESIDE, markersize=3, linewidth=1)
    other.tick_params(labelsize=8, colors=_BESIDE)
    other.spines[["top", "left"]].set_visible(False)
    if sweep.beside == "condition":
        other.set_yscale("log")
    else:
        other.set_ylim(0, 1.05 * max(means))
    if data == NAMES[-1]:
        unit = ", %" if sweep.beside in PERCENT else ""
        other.set_ylabel(f"{sweep.beside}{unit}", fontsize=8, color=_BESIDE)


def _deviation(several: Sequence[float]) -> float:
    return statistics.stdev(several) if len(several) > 1 else 0.0
