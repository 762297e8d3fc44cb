"""The pictures: multiples of the limit by size, costs by number, and whole steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.speed import growth, hooked
from benchmarks.speed.cases import Row
from benchmarks.speed.page import growing
from benchmarks.speed.values import ADD, SUM
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter, NullLocator

_OURS, _HAND, _NORM, _KERAS, _FASTAI = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00"
"""Colours of Okabe and Ito, which colour-blind readers can distinguish."""

_LINES: Mapping[str, tuple[str, str]] = {
    "ours": (_OURS, "-"),
    "ours, compiled": (_OURS, "--"),
    "by hand": (_HAND, "-"),
    "by hand, compiled": (_HAND, "--"),
    "vector_norm": (_NORM, "-"),
    "Keras": (_KERAS, "-"),
    "fastai": (_FASTAI, "-"),
}

_BARS: Mapping[str, str] = {
    "ours": _OURS,
    "ours, inject": "#56B4E9",
    "by hand": _HAND,
    "by hand, vector_norm": _NORM,
}


def draw_sizes(rows: Sequence[Row], path: Path) -> None:
    """Draw the ratios to the limit by size, for contiguous float32."""
    plain = [row for row in rows if ", float32, contiguous, " in row.what]
    whats = list(dict.fromkeys(row.what.partition(", float32")[0] for row in plain))
    whats.sort(key=lambda what: what.endswith("gradient"))
    figure = Figure(figsize=(11, 6.2), layout="constrained")
    panels = figure.subplots(2, max(len(whats) // 2, 1), sharex=True, sharey="row", squeeze=False)
    for axes, what in zip(panels.flat, whats, strict=True):
        those = [row for row in plain if row.what.startswith(f"{what}, float32")]
        _show_sizes(axes, those)
        axes.set_title(what, fontsize=10)
    for row, limit in zip(panels, (SUM, ADD), strict=True):
        row[0].set_ylabel(f"multiples of {limit}")
    for axes in panels[-1]:
        axes.set_xlabel("elements")
    lines = {line.get_label(): line for axes in panels.flat for line in axes.get_lines()}
    names = [name for name in _LINES if name in lines]
    figure.legend(
        [lines[name] for name in names], names, loc="outside upper center", ncols=7, frameon=False
    )
    figure.savefig(path, dpi=110)


def _show_sizes(axes: Axes, rows: Sequence[Row]) -> None:
    for name, (colour, style) in _LINES.items():
        points = [(row.figures["elements"], row.ratio(name)) for row in rows if name in row.ratios]
        if points:
            elements, ratios = zip(*points, strict=True)
            axes.plot(elements, ratios, style, color=colour, label=name, marker=".")
    axes.axhline(1, color="#555555", linewidth=0.8)
    axes.set_xscale("log", base=2)
    _log_scale(axes)
    _tidy(axes)


def draw_growth(rows: Sequence[Row], path: Path) -> None:
    """Draw the costs of ours and by hand by number, with the line fitted to ours."""
    figure = Figure(figsize=(11, 3.6), layout="constrained")
    for axes, axis in zip(figure.subplots(1, len(growth.AXES)), growth.AXES, strict=True):
        for kind, colour in ((hooked.BY_HAND, _HAND), (hooked.OURS, _OURS)):
            numbers, costs = growing.costs(rows, axis.name, kind)
            axes.plot(numbers, [1e6 * cost for cost in costs], "o", color=colour, label=kind)
        fit = growing.line(rows, axis.name, hooked.OURS)
        line = [1e6 * fit.at(n) for n in numbers]
        axes.plot(numbers, line, color=_OURS, linewidth=1, label="straight line through ours")
        axes.set_xscale("log")
        axes.set_xticks(numbers, [f"{n:g}" for n in numbers])
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xlabel(axis.name)
        _log_scale(axes)
        _tidy(axes)
        if axes.get_subplotspec().is_first_col():
            axes.set_ylabel("added to forward and backward, µs")
            axes.legend(frameon=False, fontsize=9)
    figure.savefig(path, dpi=110)


def draw_steps(rows: Sequence[Row], path: Path) -> None:
    """Draw the share by which penalties lengthen whole steps, with quartiles."""
    those = [row for row in rows if "ours" in row.ratios]
    figure = Figure(figsize=(9, 0.62 * len(those) + 1.2), layout="constrained")
    axes = figure.subplots()
    height = 0.8 / len(_BARS)
    for k, (name, colour) in enumerate(_BARS.items()):
        present = [(i, row.ratios[name]) for i, row in enumerate(those) if name in row.ratios]
        over = [100 * (of.median - 1) for _, of in present]
        errors = [
            [100 * (of.median - of.low) for _, of in present],
            [100 * (of.high - of.median) for _, of in present],
        ]
        places = [i + (k - (len(_BARS) - 1) / 2) * height for i, _ in present]
        axes.barh(
            places,
            over,
            height,
            xerr=errors,
            color=colour,
            label=name,
            error_kw={"ecolor": "#555555", "elinewidth": 0.8},
        )
    axes.axvline(0, color="#555555", linewidth=0.8)
    axes.set_yticks(range(len(those)), [row.what for row in those])
    axes.margins(y=0.02)
    axes.invert_yaxis()
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("longer than the step without, %")
    axes.legend(frameon=False, fontsize=9, loc="lower center", bbox_to_anchor=(0.5, 1), ncols=4)
    _tidy(axes)
    figure.savefig(path, dpi=110)


def _log_scale(axes: Axes) -> None:
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())


def _tidy(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
