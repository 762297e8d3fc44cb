"""What the figures of a network allow to be said: met, dead, collapsed, carried by one sample."""

from __future__ import annotations

import math

from regularizers.recipes.sparse_autoencoder._config import Config
from regularizers.recipes.sparse_autoencoder._metrics import Metrics

MISSED = 0.05
"""Relative deviation above which a target counts as missed."""

_CHANCE = 0.05
_POOR = 0.5
"""The explained variance below which many dead units are a collapse."""
_ALWAYS = 0.9
"""Share of the units alive above which their being active says nothing of a sample."""


def is_met(m: Metrics, config: Config) -> bool:
    """Return whether as many units are active on training samples as were asked for."""
    return abs(m.active_in_training / config.active - 1) <= MISSED


def needed(config: Config) -> int:
    """Return from how many unseen samples on a unit that none activates counts as dead.

    A unit that is active a tenth as often as the mean one, p = active / units / 10, is active on
    none of n samples with probability (1 − p)^n. That is below 5 % from n = ln 0.05 / ln(1 − p) on.

    Example:
        >>> needed(Config(units=100, active=10)), needed(Config(units=1000, active=10))
        (299, 2995)
    """
    rare = config.active / config.units / 10
    return math.ceil(math.log(_CHANCE) / math.log1p(-rare))


def dead(m: Metrics, config: Config) -> str:
    """Return the number of dead units as text; empty where the samples are too few to tell."""
    told = m.dead_units == 0 or m.unseen_samples >= needed(config)
    return f"{m.dead_units}" if told else ""


def collapsed(m: Metrics, config: Config) -> bool:
    """Return whether a training left a network that fewer units would not equal.

    Either no unit is active, or the mean sample is as good a reconstruction, or half the units are
    dead and the rest explain less than half, are too few, or are always active.
    """
    if not m.is_sparse:
        return m.explained_variance <= 0
    if m.active_units == 0 or m.explained_variance <= 0:
        return True
    alive = config.units - m.dead_units
    poor = m.explained_variance < _POOR or m.active_in_training < config.active / 2
    always = m.active_units > _ALWAYS * alive
    return bool(dead(m, config)) and alive <= config.units / 2 and (poor or always)


def outlier_of(m: Metrics) -> str:
    """Return a sentence on the sample that carries the error; empty where none does.

    A quarter of the whole is much for one of a hundred samples or more, and half for one of fewer.
    """
    if m.worst_sample is None or m.worst_share < (0.25 if m.unseen_samples >= 100 else 0.5):
        return ""
    said = f"Sample {m.worst_sample} alone carries {m.worst_share:z.1%} of the squared error"
    if m.explained_without_worst is None:
        return f"{said}."
    return (
        f"{said}: without it the explained variance is {m.explained_without_worst:z.1%}, not "
        f"{m.explained_variance:z.1%}."
    )
