"""The table: the figures of all networks, with notes."""

from __future__ import annotations

from collections.abc import Mapping

from regularizers._text import table
from regularizers.recipes.sparse_autoencoder._config import TITLES, Config
from regularizers.recipes.sparse_autoencoder._judgement import (
    collapsed,
    dead,
    is_met,
    needed,
    outlier_of,
)
from regularizers.recipes.sparse_autoencoder._metrics import Metrics


def metrics_table(metrics: Mapping[str, Metrics], config: Config) -> str:
    """Return the figures of all networks as a table, those by `kinds` first."""
    cells = [
        [
            *("network", "code", "strength", f"active of {config.units}", "explained variance"),
            *("validation MSE", "dead units", "started anew", "loss recovered"),
        ]
    ]
    for kind, m in metrics.items():
        sparse = [f"{m.active_units:.1f}", f"{m.explained_variance:z.1%}", f"{m.mse:#.3g}"]
        cells.append(
            [
                *(TITLES[kind], m.coding, f"{m.strength:.2e}" if m.strength else "-"),
                *(sparse if m.is_sparse else ["-", *sparse[1:]]),
                *([dead(m, config) or "-", f"{m.revived}"] if m.is_sparse else ["-", "-"]),
                "-" if m.loss_recovered is None else f"{m.loss_recovered:z.1%}",
            ]
        )
    if all(m.loss_recovered is None for m in metrics.values()):
        cells = [row[:-1] for row in cells]
    return "\n".join([table(cells, right=range(2, len(cells[0]))), *notes(metrics, config)])


def notes(metrics: Mapping[str, Metrics], config: Config) -> list[str]:
    """Return the notes below the table."""
    first, *_ = metrics
    said = [
        "A unit is active where it is not 0, and dead if no validation sample activates it.",
        _target_note(first, metrics[first], config),
    ]
    unseen = max(m.unseen_samples for m in metrics.values())
    if any(m.is_sparse and not dead(m, config) for m in metrics.values()):
        said.append(
            f"Dead units are not counted: {unseen} validation samples are too few to tell them "
            f"from rare ones, which takes {needed(config)}."
        )
    said += [
        f"{TITLES[kind]} collapsed: {m.active_units:.1f} units are active, and the explained "
        f"variance is {m.explained_variance:z.1%}. See the report."
        for kind, m in metrics.items()
        if collapsed(m, config)
    ]
    if outlier := outlier_of(metrics[first]):
        said.append(outlier)
    if any(m.loss_recovered is not None for m in metrics.values()):
        said.append(
            "Loss recovered: of what a linear classifier's cross-entropy loses when every sample "
            "is the mean one."
        )
    said += [
        f"A sigmoid is never 0: its mean activation is {m.mean_activation:.3g}, and "
        f"{config.mean_activation:.3g} was asked for."
        for m in metrics.values()
        if not m.is_sparse
    ]
    return said


def number_of_units(count: float) -> str:
    """Return a number of units in words.

    Example:
        >>> number_of_units(1.0), number_of_units(2.5)
        ('1 unit', '2.5 units')
    """
    return f"{count:g} unit{'s' * (count != 1)}"


def _target_note(kind: str, m: Metrics, config: Config) -> str:
    told = f"{TITLES[kind]} was told to leave {number_of_units(config.active)} active"
    if not is_met(m, config):
        return f"{told}; {m.active_in_training:.1f} are on training samples: see the report."
    found = ", and found its strength" if m.strength else ""
    return f"{told}{found}: {m.active_in_training:.1f} are on training samples."
