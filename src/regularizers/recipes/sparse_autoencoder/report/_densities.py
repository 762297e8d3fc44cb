"""Histograms of how often units are active."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor

from regularizers.recipes.sparse_autoencoder._result import Result
from regularizers.recipes.sparse_autoencoder.report._charts import bar_chart
from regularizers.recipes.sparse_autoencoder.report._scales import linear
from regularizers.recipes.sparse_autoencoder.report._training import Figure
from regularizers.recipes.sparse_autoencoder.report._units import titled, use_of

_EDGES = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
_NAMES = [(0.5, "never"), *((i + 1.0, f"{edge:.0%}") for i, edge in enumerate(_EDGES) if edge)]


def density_charts(result: Result) -> list[Figure]:
    """Return a histogram of the shares of samples on which units are active, for each network."""
    uses = {
        name: counts(use_of(trained, result.data.validation))
        for name, trained in result.trained.items()
        if trained.metrics.is_sparse
    }
    y = linear(max(max(heights) for heights in uses.values()))
    charts = []
    for name, heights in uses.items():
        description = f"{titled(name)}, of all units: " + ", ".join(
            f"{count} {_bin(i)}" for i, count in enumerate(heights) if count
        )
        chart = bar_chart(f"{description}.", heights, _NAMES, y, apart=1)
        charts.append(Figure(titled(name), chart))
    return charts


def counts(use: Tensor) -> list[int]:
    """Return how many units are never used, and how many in each range of shares up to all."""
    return [
        int((use == 0).sum()),
        *(int(((use > low) & (use <= high)).sum()) for low, high in pairwise(_EDGES)),
    ]


def _bin(index: int) -> str:
    if index == 0:
        return "never active"
    return f"active on {_EDGES[index - 1]:.0%} to {_EDGES[index]:.0%} of samples"
