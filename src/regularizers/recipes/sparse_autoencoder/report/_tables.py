"""The figures in tables: of the networks, and of what the run was told."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from regularizers.recipes._settings import option, to_json
from regularizers.recipes.sparse_autoencoder._config import TITLES
from regularizers.recipes.sparse_autoencoder._metrics import Metrics, notes
from regularizers.recipes.sparse_autoencoder._result import Result
from regularizers.recipes.sparse_autoencoder.report._html import Html, element, joined


def key_numbers(result: Result) -> Html:
    """Return the few figures a reader came for."""
    found, config = result.first.metrics, result.config
    asked = f"of {config.units}; {config.active:g} asked for"
    shown = [
        ("active units", f"{found.active_units:.1f}", asked),
        ("explained variance", f"{found.explained_variance:.1%}", "on unseen samples"),
        ("dead units", f"{found.dead_units}", f"of {config.units}"),
    ]
    if found.loss_recovered is not None:
        shown.append(("loss recovered", f"{found.loss_recovered:.1%}", "of a classifier"))
    elif found.strength:
        shown.append(("strength", f"{found.strength:.3g}", "found"))
    return element(
        "dl",
        *(
            element(
                "div",
                element("dt", name),
                element("dd", value, " ", element("small", small)),
            )
            for name, value, small in shown
        ),
        class_="numbers",
    )


def figures_table(result: Result) -> Html:
    """Return all figures, a column for each network."""
    metrics, config = result.metrics, result.config
    asked = dict.fromkeys(metrics, f"{config.active:g} active")
    asked["kl"] = f"{config.mean_activation:.3g} mean"
    head = ["Network", *(TITLES[kind] for kind in metrics)]
    rows = [
        ("Code", _each(metrics, lambda m: m.coding)),
        ("Strength", _each(metrics, lambda m: f"{m.strength:.3g}" if m.strength else "–")),
        ("Asked for", asked),
        (f"Active of {config.units}", _sparse(metrics, lambda m: f"{m.active_units:.1f}")),
        ("… in training", _sparse(metrics, lambda m: f"{m.active_in_training:.1f}")),
        ("Explained variance", _each(metrics, lambda m: f"{m.explained_variance:.1%}")),
        ("Squared error", _each(metrics, lambda m: f"{m.mse:.5f}")),
        ("Loss recovered", _each(metrics, lambda m: _share(m.loss_recovered))),
        ("Dead units", _sparse(metrics, lambda m: f"{m.dead_units}")),
        ("Started anew", _sparse(metrics, lambda m: f"{m.revived}")),
        ("Longest direction", _each(metrics, lambda m: f"{m.longest_column:.4f}")),
        ("Mean activation", _sigmoid(metrics, lambda m: f"{m.mean_activation:.4f}")),
        ("Saturated", _sigmoid(metrics, lambda m: f"{m.saturated:.1%}")),
    ]
    rows = [row for row in rows if any(cell != "–" for cell in row[1].values())]
    table = element(
        "table",
        element("thead", element("tr", *(element("th", cell, scope="col") for cell in head))),
        element(
            "tbody",
            *(
                element(
                    "tr",
                    element("th", name, scope="row"),
                    *(element("td", cells[column]) for column in metrics),
                )
                for name, cells in rows
            ),
        ),
    )
    box = element(
        "div", table, class_="scroll", tabindex=0, role="region", aria_label="All figures"
    )
    said = element("ul", *(element("li", note) for note in notes(metrics, config)), class_="notes")
    return joined([box, said])


def settings_list(result: Result) -> Html:
    """Return what the run was told, by the names of the command line."""
    config = result.config
    told = to_json(config) | {
        "data": result.data.name,
        "beside": " ".join(config.beside),
        "target": f"{config.mean_activation:.3g}",
    }
    pairs = [
        (element("dt", element("code", f"--{option(name)}")), element("dd", str(value)))
        for name, value in told.items()
        if value is not None
    ]
    return element("dl", *(part for pair in pairs for part in pair), class_="settings")


def _each(metrics: Mapping[str, Metrics], form: Callable[[Metrics], str]) -> dict[str, str]:
    return {kind: form(m) for kind, m in metrics.items()}


def _sparse(metrics: Mapping[str, Metrics], form: Callable[[Metrics], str]) -> dict[str, str]:
    return _each(metrics, lambda m: form(m) if m.is_sparse else "–")


def _sigmoid(metrics: Mapping[str, Metrics], form: Callable[[Metrics], str]) -> dict[str, str]:
    return _each(metrics, lambda m: "–" if m.is_sparse else form(m))


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"
