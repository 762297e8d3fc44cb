"""The picture: how the variants learned, and what the last layer's states did meanwhile."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from itertools import cycle
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from regularizers.recipes._drawing import (
    linear_axis,
    logarithmic_axis,
    set_title,
    short,
    span_decades,
)
from regularizers.recipes.language_model._metrics import Metrics
from regularizers.recipes.language_model._table import Results
from regularizers.recipes.language_model._variants import PLAIN

_COLORS = ("#8d99ae", "#30638e", "#edae49", "#00798c", "#d1495b")
_BEYOND = 100.0
"""A perplexity that is so many times the lowest is cut off, and named."""

Curves = Mapping[str, Sequence[Sequence[float]]]
"""Of each variant by name, for each epoch the values of its seeds."""


def draw(results: Results, title: str, path: Path) -> None:
    """Draw, by epoch, validation perplexity, the states' norm and their change.

    Lines are means over seeds, bands reach from the lowest to the highest seed. The legend
    names the curves that end outside of their panel.

    Args:
        results: of each variant by name, what its seeds came to.
        title: what was read.
        path: the PNG file to write.
    """
    figure = Figure(figsize=(13, 4.8), layout="constrained")
    set_title(figure, title)
    learning, norm, change = figure.subplots(1, 3, width_ratios=(1.35, 1, 1))
    colors = dict(zip(results, cycle(_COLORS), strict=False))
    said = _show_perplexity(learning, _curves(results, lambda epoch: epoch.perplexity), colors)
    learning.set_title(f"Validation perplexity, logarithmic{said}", fontsize=10)
    _show_states(norm, _curves(results, lambda epoch: epoch.norm), colors)
    norm.set_title("Size of the last layer's states: rms of ‖h[t]‖", fontsize=10)
    _show_states(change, _curves(results, lambda epoch: epoch.change), colors)
    change.set_title("Their change: rms of ‖h[t+1] − h[t]‖", fontsize=10)
    epochs = max(len(learned.epochs) for seeds in results.values() for learned in seeds)
    for axes in (learning, norm, change):
        axes.set_xlabel("epoch")
        axes.set_xlim(1 - 0.04 * epochs, epochs + 0.04 * epochs)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", color="#eeeeee")
        axes.set_axisbelow(True)
    handles, _ = learning.get_legend_handles_labels()
    missing = _missing(results, learning.get_ylim()[1])
    figure.legend(
        handles,
        [f"{name}: {missing[name]}" if name in missing else name for name in results],
        loc="outside lower center",
        ncols=3 if missing else len(handles),
        frameon=False,
        fontsize=9,
    )
    figure.savefig(path, dpi=110)


def _curves(results: Results, measure: Callable[[Metrics], float]) -> Curves:
    return {
        name: list(zip(*[[measure(e) for e in one.epochs] for one in seeds], strict=True))
        for name, seeds in results.items()
    }


def _show_perplexity(axes: Axes, curves: Curves, colors: Mapping[str, str]) -> str:
    """Show perplexities from near the lowest on; return what the title says of what is cut off."""
    _show(axes, curves, colors)
    later = [epoch for by_epoch in curves.values() for epoch in by_epoch[len(by_epoch) // 4 :]]
    ends = [value for epoch in later for value in epoch if math.isfinite(value)]
    if span_decades(ends, 10):
        # so far apart that the beginnings take no room
        ends = [v for seeds in curves.values() for some in seeds for v in some if math.isfinite(v)]
    lowest = min(ends, default=1.0)
    low, high = lowest * 0.95, max((v for v in ends if v <= _BEYOND * lowest), default=1.0) * 1.05
    logarithmic_axis(axes, "y", low, high)
    began = any(statistics.fmean(by_epoch[0]) > high for by_epoch in curves.values())
    return f", cut off above {short(high)}" if began else ""


def _show_states(axes: Axes, curves: Curves, colors: Mapping[str, str]) -> None:
    """Show norms from 0 on; if they span decades, on a logarithmic axis."""
    _show(axes, curves, colors)
    values = [v for seeds in curves.values() for some in seeds for v in some if math.isfinite(v)]
    most = max(values, default=0.0) or 1.0
    if span_decades(values):
        logarithmic_axis(axes, "y", min(v for v in values if v > 0) * 0.9, most * 1.1)
        axes.set_ylabel("logarithmic")
    else:
        linear_axis(axes, "y", 0, 1.05 * most)


def _show(axes: Axes, curves: Curves, colors: Mapping[str, str]) -> None:
    for name, by_epoch in curves.items():
        epochs = range(1, len(by_epoch) + 1)
        style = "--" if name == PLAIN else "-"
        means = [_finite(statistics.fmean(values)) for values in by_epoch]
        color = colors[name]
        # wider below, so that equal curves are all seen
        width = 2.6 - 0.3 * min(list(curves).index(name), 5)
        axes.plot(
            epochs, means, style, color=color, label=name, marker="o", markersize=3, linewidth=width
        )
        if len(by_epoch[0]) > 1:
            low, high = [_finite(min(v)) for v in by_epoch], [_finite(max(v)) for v in by_epoch]
            axes.fill_between(epochs, low, high, color=color, alpha=0.2, linewidth=0)


def _missing(results: Results, highest: float) -> dict[str, str]:
    """Return what is said of the variants that end outside of a panel."""
    missing = {}
    for name, seeds in results.items():
        ends = [learned.epochs[-1] for learned in seeds]
        perplexity = statistics.fmean(end.perplexity for end in ends)
        if not perplexity <= highest:
            missing[name] = f"ends at a perplexity of {short(perplexity)}, which is not drawn"
        elif not all(math.isfinite(end.norm) and math.isfinite(end.change) for end in ends):
            missing[name] = "ends with states that are not finite, which are not drawn"
    return missing


def _finite(value: float) -> float:
    """Return a value, or NaN, which is not drawn."""
    return value if math.isfinite(value) else math.nan
