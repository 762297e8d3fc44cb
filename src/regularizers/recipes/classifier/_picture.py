"""The picture: accuracies and the gap between them, zeros and activations, method by method."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import blended_transform_factory

from regularizers.recipes._drawing import (
    drawn,
    linear_axis,
    logarithmic_axis,
    set_title,
    short,
    span_decades,
)
from regularizers.recipes.classifier._metrics import Metrics

_TRAIN, _VALIDATION, _REST = "#7a7a7a", "#d1495b", "#30638e"
_LEAST = 1.0
"""Points of accuracy that the axis spans at least: what is nearer looks near."""

_FEW = 4
"""Ticks for which a narrow panel has room."""


def draw(metrics: Mapping[str, Sequence[Metrics]], title: str, path: Path) -> None:
    """Draw the figures of all methods, each over its seeds.

    Args:
        metrics: by method, from top to bottom.
        title: the data and the network.
        path: the PNG file to write.
    """
    figure = Figure(figsize=(13, 0.45 * len(metrics) + 2.1), layout="constrained")
    set_title(figure, title)
    panels = figure.subplots(1, 4, sharey=True, width_ratios=(2.4, 1, 1, 1), squeeze=False)[0]
    _show_accuracies(panels[0], metrics)
    _show_values(panels[1], metrics, lambda m: 100 * m.gap, "gap, points")
    _show_values(panels[2], metrics, lambda m: 100 * m.zeros, "zeros in the kernels, %", most=100)
    _show_values(panels[3], metrics, lambda m: m.mean_activation, "mean activation")
    panels[0].set_yticks(range(len(metrics)), list(map(drawn, metrics)), parse_math=False)
    panels[0].set_ylim(len(metrics) - 0.5, -0.5)
    for axes in panels:
        axes.tick_params(axis="y", length=0)
        axes.spines[["top", "right", "left"]].set_visible(False)
    figure.savefig(path, dpi=110)


def _show_accuracies(axes: Axes, metrics: Mapping[str, Sequence[Metrics]]) -> None:
    """Show training and validation accuracy on one line for each method, the gap between them."""
    reached = []
    for row, of_seeds in enumerate(metrics.values()):
        train, _ = _spread([100 * m.train_accuracy for m in of_seeds])
        seeds = [100 * m.validation_accuracy for m in of_seeds]
        validation, deviation = _spread(seeds)
        reached += [train, *seeds, validation - deviation, min(validation + deviation, 100.0)]
        axes.plot([validation, train], [row, row], color="#dddddd", linewidth=5, zorder=1)
        axes.plot(seeds, [row + 0.24] * len(seeds), ".", color=_VALIDATION, alpha=0.4, markersize=5)
        axes.errorbar(
            validation, row, xerr=deviation, fmt="o", color=_VALIDATION, capsize=4, zorder=2
        )
        # a ring, so that both are seen where they are the same
        axes.plot(train, row, "o", color=_TRAIN, fillstyle="none", markersize=9, zorder=3)
    first = statistics.fmean(100 * m.validation_accuracy for m in next(iter(metrics.values())))
    axes.axvline(first, color=_VALIDATION, linewidth=0.8, linestyle=":", zorder=0)
    axes.plot([], [], "o", color=_VALIDATION, label="validation: mean, deviation, each seed")
    axes.plot([], [], "o", color=_TRAIN, fillstyle="none", markersize=9, label="training")
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, frameon=False, fontsize=9)
    axes.set_xlabel("accuracy, %")
    low, high = min(reached), max(reached)
    low = min(low, high - _LEAST)
    margin = 0.05 * (high - low)
    linear_axis(axes, "x", low - margin, high + margin, within=(0, 100))


def _show_values(
    axes: Axes,
    metrics: Mapping[str, Sequence[Metrics]],
    of: Callable[[Metrics], float],
    label: str,
    *,
    most: float | None = None,
) -> None:
    """Show a bar for each method; values that span decades as dots on a logarithmic axis."""
    means, deviations = zip(
        *(_spread([of(m) for m in of_seeds]) for of_seeds in metrics.values()), strict=True
    )
    colors = [_TRAIN, *[_REST] * (len(means) - 1)]
    if most is None and min(means) >= 0 and span_decades(means):
        _show_dots(axes, means, colors)
        axes.set_xlabel(f"{label}, logarithmic")
        return
    rows = range(len(means))
    axes.barh(rows, means, xerr=deviations, color=colors, height=0.6, ecolor="#555555")
    ends = [mean + deviation for mean, deviation in zip(means, deviations, strict=True)]
    starts = [mean - deviation for mean, deviation in zip(means, deviations, strict=True)]
    low, high = min(0, *starts) if min(means) < 0 else 0.0, max(0, *ends)
    reach = high - low or 1.0
    for row, (mean, end) in enumerate(zip(means, ends, strict=True)):
        axes.text(max(end, 0) + 0.03 * reach, row, short(mean), va="center", fontsize=9)
    right = low + 1.25 * reach
    nothing = not any(means) and not any(deviations)
    bounds = (low, min(right, most or right))
    linear_axis(axes, "x", low, right, within=(0, 0) if nothing else bounds, ticks=_FEW)
    axes.set_xlabel(label)


def _show_dots(axes: Axes, means: Sequence[float], colors: Sequence[str]) -> None:
    positive = [mean for mean in means if mean > 0]
    logarithmic_axis(axes, "x", min(positive) / 2, max(positive) * 8, ticks=_FEW)
    # what is 0 has no place on this axis, and is written at its left end
    left = blended_transform_factory(axes.transAxes, axes.transData)
    for row, (mean, color) in enumerate(zip(means, colors, strict=True)):
        if mean > 0:
            axes.plot(mean, row, "o", color=color)
            axes.annotate(
                short(mean),
                (mean, row),
                (7, 0),
                textcoords="offset points",
                va="center",
                fontsize=9,
            )
        else:
            axes.text(0.02, row, short(mean), va="center", fontsize=9, transform=left)


def _spread(values: Sequence[float]) -> tuple[float, float]:
    return statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else 0.0
