"""The picture: how the variants learned, and what the last layer's states did meanwhile."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter

from regularizers.recipes.language_model._metrics import Metrics
from regularizers.recipes.language_model._table import Results
from regularizers.recipes.language_model._training import Learned
from regularizers.recipes.language_model._variants import ALL, DROPOUTS, PLAIN

_COLORS = ("#8d99ae", "#30638e", "#edae49", "#00798c", "#d1495b")


def draw(results: Results, title: str, path: Path) -> None:
    """Draw, by epoch, validation perplexity, the states' norm and their change.

    Lines are means over seeds, bands reach from the lowest to the highest seed.

    Args:
        results: of each variant by name, what its seeds came to.
        title: what was read.
        path: the PNG file to write.
    """
    figure = Figure(figsize=(13, 4.6), layout="constrained")
    figure.suptitle(title, fontsize=11)
    learning, norm, change = figure.subplots(1, 3, width_ratios=(1.35, 1, 1))
    colors = dict(zip(results, _COLORS, strict=True))
    for name, seeds in results.items():
        _show(learning, name, seeds, lambda epoch: epoch.perplexity, colors[name])
    learning.set_yscale("log")
    _zoom(learning, results)
    for axes, measure in ((norm, _norm), (change, _change)):
        for name in (DROPOUTS, "dropouts + AR", "dropouts + TAR", ALL):
            _show(axes, name, results[name], measure, colors[name])
        axes.set_ylim(bottom=0)
    learning.set_title("Validation perplexity", fontsize=10)
    norm.set_title("Size of the last layer's states: rms of ‖h[t]‖", fontsize=10)
    change.set_title("Their change: rms of ‖h[t+1] − h[t]‖", fontsize=10)
    for axes in (learning, norm, change):
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", which="both", color="#eeeeee")
        axes.set_axisbelow(True)
    learning.legend(frameon=False, fontsize=9)
    figure.savefig(path, dpi=110)


def _norm(epoch: Metrics) -> float:
    return epoch.norm


def _change(epoch: Metrics) -> float:
    return epoch.change


def _show(
    axes: Axes,
    name: str,
    seeds: Sequence[Learned],
    measure: Callable[[Metrics], float],
    color: str,
) -> None:
    by_epoch = list(zip(*[[measure(e) for e in learned.epochs] for learned in seeds], strict=True))
    epochs = range(1, len(by_epoch) + 1)
    style = "--" if name == PLAIN else "-"
    means = [statistics.fmean(values) for values in by_epoch]
    axes.plot(epochs, means, style, color=color, label=name, marker="o", markersize=3)
    if len(seeds) > 1:
        low, high = [min(values) for values in by_epoch], [max(values) for values in by_epoch]
        axes.fill_between(epochs, low, high, color=color, alpha=0.2, linewidth=0)


def _zoom(axes: Axes, results: Results) -> None:
    """Cut off the values of the first epochs, beside which the ends look alike."""
    ends = [
        [epoch.perplexity for epoch in learned.epochs[len(learned.epochs) // 4 :]]
        for seeds in results.values()
        for learned in seeds
    ]
    lowest, highest = min(map(min, ends)), max(map(max, ends))
    axes.set_ylim(lowest * 0.95, highest * 1.05)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=8, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
