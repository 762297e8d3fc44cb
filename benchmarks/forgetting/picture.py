"""The picture: accuracy on the first task against that on the second, strength by strength."""

from __future__ import annotations

import statistics
from pathlib import Path

from benchmarks.forgetting.plan import Results
from matplotlib.figure import Figure

_COLOURS = {"nothing": "#000000", "L2": "#E69F00", "L2-SP": "#0072B2", "EWC": "#D55E00"}
"""Colours of Okabe and Ito, which colour-blind readers can distinguish."""


def draw(results: Results, path: Path) -> None:
    """Draw a panel for each pair of tasks, and in it a line over the strengths of each method."""
    pairs = list(dict.fromkeys(pair for pair, _, _ in results))
    figure = Figure(figsize=(5 * len(pairs), 4), layout="constrained")
    panels = figure.subplots(1, len(pairs), squeeze=False)[0]
    for axes, pair in zip(panels, pairs, strict=True):
        for method, colour in _COLOURS.items():
            several = [r for (p, m, _), r in results.items() if (p, m) == (pair, method)]
            second = [100 * statistics.fmean([one.second for one in each]) for each in several]
            first = [100 * statistics.fmean([one.first for one in each]) for each in several]
            axes.plot(second, first, "o-", color=colour, label=method, markersize=5)
        before = [r.before for (p, _, _), each in results.items() if p == pair for r in each]
        axes.axhline(100 * statistics.fmean(before), color="#bbbbbb", linewidth=1, zorder=0)
        axes.set_title(pair, fontsize=10)
        axes.set_xlabel("accuracy on the second task, %")
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("accuracy on the first task after it, %")
    panels[0].legend(frameon=False, loc="lower left")
    figure.savefig(path, dpi=110)
