"""The picture: explained variance, F1 and MCC by problem, ours beside theirs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from regularizers.recipes.superposition._rows import Row

_OURS, _THEIRS = "#d1495b", "#30638e"
_PANELS = {"explained_variance": "explained variance", "f1": "F1", "mcc": "MCC"}


def draw(rows: Sequence[Row], title: str, path: Path) -> None:
    """Draw the rows of the table: a line of panels for each problem.

    Args:
        rows: the rows of the table.
        title: what was compared.
        path: the PNG file to write.
    """
    problems = {row.problem: [one for one in rows if one.problem == row.problem] for row in rows}
    heights = [len(some) + 1.2 for some in problems.values()]
    figure = Figure(figsize=(13, 0.36 * sum(heights) + 1.3), layout="constrained")
    figure.suptitle(title, fontsize=11)
    grid = figure.subplots(len(problems), len(_PANELS), squeeze=False, height_ratios=heights)
    for line, (problem, some) in zip(grid, problems.items(), strict=True):
        for axes, (name, label) in zip(line, _PANELS.items(), strict=True):
            _show(axes, some, name)
            axes.set_title(label, fontsize=10)
            axes.set_yticks(range(len(some)), [""] * len(some))
        line[0].set_yticks(range(len(some)), [_label(row) for row in some])
        line[0].set_title(problem, loc="left", fontweight="bold", fontsize=11)
    _legend(figure, rows)
    figure.savefig(path, dpi=110)


def _show(axes: Axes, rows: Sequence[Row], name: str) -> None:
    """Show the mean of each row with its number, each seed, and a line at the best mean of ours."""
    for place, row in enumerate(rows):
        color = _OURS if row.is_ours else _THEIRS
        mean = row.mean(name)
        seeds = [getattr(one, name) for one in row.seeds]
        axes.plot(seeds, [place] * len(seeds), "|", color=color, markersize=9, alpha=0.7)
        axes.plot(mean, place, "o", color=color)
        axes.annotate(
            f"{mean:.3f}",
            (mean, place),
            (0, 7),
            textcoords="offset points",
            ha="center",
            fontsize=8,
            color=color,
        )
    if ours := [row.mean(name) for row in rows if row.is_ours]:
        axes.axvline(max(ours), color=_OURS, linewidth=0.8, linestyle=":", zorder=0)
    axes.set_ylim(len(rows) - 0.4, -0.9)
    axes.margins(x=0.12)
    axes.grid(axis="y", color="#eeeeee")
    axes.set_axisbelow(True)
    axes.tick_params(axis="y", length=0)
    axes.spines[["top", "right", "left"]].set_visible(False)


def _label(row: Row) -> str:
    return row.architecture if row.is_ours else f"{row.library} {row.architecture}"


def _legend(figure: Figure, rows: Sequence[Row]) -> None:
    names = {(_OURS if row.is_ours else _THEIRS): row.library for row in rows}
    marks = [
        Line2D([], [], color=color, marker="o", linestyle="", label=f"{name}: mean, each seed")
        for color, name in names.items()
    ]
    figure.legend(handles=marks, loc="outside lower center", ncols=2, frameon=False, fontsize=9)
