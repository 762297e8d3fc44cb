"""The picture: accuracies and the gap between them, zeros and activations, method by method."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from regularizers.recipes.classifier._metrics import Metrics

_TRAIN, _VALIDATION, _REST = "#9a9a9a", "#d1495b", "#30638e"


def draw(metrics: Mapping[str, Sequence[Metrics]], title: str, path: Path) -> None:
    """Draw the figures of all methods, each over its seeds.

    Args:
        metrics: by method, from top to bottom.
        title: the data and the network.
        path: the PNG file to write.
    """
    figure = Figure(figsize=(13, 0.45 * len(metrics) + 2.1), layout="constrained")
    figure.suptitle(title, fontsize=11)
    panels = figure.subplots(1, 4, sharey=True, width_ratios=(2.4, 1, 1, 1))
    _show_accuracies(panels[0], metrics)
    _show_bars(panels[1], metrics, lambda m: 100 * m.gap, "gap, points", "{:.1f}")
    _show_bars(panels[2], metrics, lambda m: 100 * m.zeros, "zeros in the kernels, %", "{:.0f}")
    _show_bars(panels[3], metrics, lambda m: m.mean_activation, "mean activation", "{:.2f}")
    panels[0].set_yticks(range(len(metrics)), list(metrics))
    panels[0].invert_yaxis()
    for axes in panels:
        axes.tick_params(axis="y", length=0)
        axes.spines[["top", "right", "left"]].set_visible(False)
    figure.savefig(path, dpi=110)


def _show_accuracies(axes: Axes, metrics: Mapping[str, Sequence[Metrics]]) -> None:
    """Show training and validation accuracy on one line for each method, the gap between them."""
    for row, of_seeds in enumerate(metrics.values()):
        train, _ = _spread([100 * m.train_accuracy for m in of_seeds])
        seeds = [100 * m.validation_accuracy for m in of_seeds]
        validation, deviation = _spread(seeds)
        axes.plot([validation, train], [row, row], color="#dddddd", linewidth=5, zorder=1)
        axes.plot(seeds, [row + 0.24] * len(seeds), ".", color=_VALIDATION, alpha=0.4, markersize=5)
        axes.errorbar(
            validation, row, xerr=deviation, fmt="o", color=_VALIDATION, capsize=4, zorder=2
        )
        axes.plot(train, row, "o", color=_TRAIN, zorder=2)
    first = statistics.fmean(100 * m.validation_accuracy for m in next(iter(metrics.values())))
    axes.axvline(first, color=_VALIDATION, linewidth=0.8, linestyle=":", zorder=0)
    axes.plot([], [], "o", color=_VALIDATION, label="validation: mean, deviation, each seed")
    axes.plot([], [], "o", color=_TRAIN, label="training")
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, frameon=False, fontsize=9)
    axes.set_xlabel("accuracy, %")


def _show_bars(
    axes: Axes,
    metrics: Mapping[str, Sequence[Metrics]],
    of: Callable[[Metrics], float],
    label: str,
    form: str,
) -> None:
    means, deviations = zip(
        *(_spread([of(m) for m in of_seeds]) for of_seeds in metrics.values()), strict=True
    )
    colors = [_TRAIN, *[_REST] * (len(means) - 1)]
    axes.barh(range(len(means)), means, xerr=deviations, color=colors, height=0.6, ecolor="#555555")
    ends = [mean + deviation for mean, deviation in zip(means, deviations, strict=True)]
    reach = max(*ends, 1e-12)
    for row, (mean, end) in enumerate(zip(means, ends, strict=True)):
        axes.text(max(end, 0) + 0.03 * reach, row, form.format(mean), va="center", fontsize=9)
    axes.set_xlim(min(0, *means), 1.22 * reach)
    axes.set_xlabel(label)


def _spread(values: Sequence[float]) -> tuple[float, float]:
    return statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else 0.0
