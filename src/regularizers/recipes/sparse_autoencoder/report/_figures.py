"""The figures: the few a reader came for, those of all networks, and what the run was told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from regularizers.recipes._settings import option, to_json
from regularizers.recipes.sparse_autoencoder._config import TITLES
from regularizers.recipes.sparse_autoencoder._judgement import dead, is_met
from regularizers.recipes.sparse_autoencoder._metrics import Metrics
from regularizers.recipes.sparse_autoencoder._result import Result
from regularizers.recipes.sparse_autoencoder._table import notes

_NONE = "–"
_EMPTY: tuple[object, ...] = (None, "", (), [])


@dataclass(frozen=True)
class Number:
    """A figure with its name, and what is said beside it."""

    name: str
    value: str
    beside: str


@dataclass(frozen=True)
class Figures:
    """A table with a column for each network, and its notes."""

    networks: list[str]
    rows: list[tuple[str, list[str]]]
    notes: list[str]


def key_numbers(result: Result) -> list[Number]:
    """Return the few figures a reader came for."""
    found, config = result.first.metrics, result.config
    asked = f"of {config.units}; {config.active:g} asked for"
    unknown = (_NONE, "too few samples to tell")
    counted = dead(found, config)
    shown = [
        Number("active units", f"{found.active_units:.1f}", asked),
        Number("explained variance", f"{found.explained_variance:z.1%}", "on unseen samples"),
        Number("dead units", *((counted, f"of {config.units}") if counted else unknown)),
    ]
    if found.loss_recovered is not None:
        recovered = f"{found.loss_recovered:z.1%}"
        shown.append(Number("loss recovered", recovered, "of a classifier"))
    elif found.strength:
        met = "found" if is_met(found, config) else "at the end, its target not met"
        shown.append(Number("strength", f"{found.strength:.3g}", met))
    return shown


def figures_table(result: Result) -> Figures:
    """Return all figures, a column for each network."""
    metrics, config = result.metrics, result.config
    asked = dict.fromkeys(metrics, f"{config.active:g} active")
    asked["kl"] = f"{config.mean_activation:.3g} mean"
    rows = [
        ("Code", _each(metrics, lambda m: m.coding)),
        ("Strength", _each(metrics, lambda m: f"{m.strength:.3g}" if m.strength else _NONE)),
        ("Asked for", asked),
        (f"Active of {config.units}", _sparse(metrics, lambda m: f"{m.active_units:.1f}")),
        ("… in training", _sparse(metrics, lambda m: f"{m.active_in_training:.1f}")),
        ("Explained variance", _each(metrics, lambda m: f"{m.explained_variance:z.1%}")),
        ("Squared error", _each(metrics, lambda m: f"{m.mse:#.3g}")),
        ("Loss recovered", _each(metrics, lambda m: _share(m.loss_recovered))),
        ("Dead units", _sparse(metrics, lambda m: dead(m, config) or _NONE)),
        ("Started anew", _sparse(metrics, lambda m: f"{m.revived}")),
        ("Longest direction", _each(metrics, lambda m: f"{m.longest_column:.4f}")),
        ("Mean activation", _sigmoid(metrics, lambda m: f"{m.mean_activation:.3g}")),
        ("Saturated", _sigmoid(metrics, lambda m: f"{m.saturated:z.1%}")),
    ]
    return Figures(
        networks=[TITLES[kind] for kind in metrics],
        rows=[
            (name, [cells[kind] for kind in metrics])
            for name, cells in rows
            if any(cells[kind] != _NONE for kind in metrics)
        ],
        notes=notes(metrics, config),
    )


def settings_list(result: Result) -> list[tuple[str, str]]:
    """Return what the run was told, by the names of the command line."""
    config = result.config
    told = to_json(config) | {
        "data": result.data.name,
        "beside": " ".join(config.beside),
        "target": f"{config.mean_activation:.3g}",
    }
    return [(option(name), _said(value)) for name, value in told.items() if value not in _EMPTY]


def _said(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


def _each(metrics: Mapping[str, Metrics], form: Callable[[Metrics], str]) -> dict[str, str]:
    return {kind: form(m) for kind, m in metrics.items()}


def _sparse(metrics: Mapping[str, Metrics], form: Callable[[Metrics], str]) -> dict[str, str]:
    return _each(metrics, lambda m: form(m) if m.is_sparse else _NONE)


def _sigmoid(metrics: Mapping[str, Metrics], form: Callable[[Metrics], str]) -> dict[str, str]:
    return _each(metrics, lambda m: _NONE if m.is_sparse else form(m))


def _share(value: float | None) -> str:
    return _NONE if value is None else f"{value:z.1%}"
