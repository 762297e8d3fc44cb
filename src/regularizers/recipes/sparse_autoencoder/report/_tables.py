"""The figures in tables: of the networks, and of what the run was told."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from regularizers.recipes._settings import option, to_json
from regularizers.recipes.sparse_autoencoder._metrics import Metrics, notes
from regularizers.recipes.sparse_autoencoder._result import Result
from regularizers.recipes.sparse_autoencoder.report._html import Html, element, joined


def key_numbers(result: Result) -> Html:
    """Return the few figures a reader came for."""
    l1, config = result.metrics["L1"], result.config
    wanted = config.wanted_active
    shown = [
        (
            "active units with L1",
            f"{l1.active_units:.1f}",
            f"of {config.units}" if wanted is None else f"of {config.units}; {wanted:g} asked for",
        ),
        ("explained variance", f"{l1.explained_variance:.1%}", "on unseen samples"),
        ("dead units", f"{l1.dead_units}", f"of {config.units}"),
        ("strength of L1", f"{l1.strength:.3g}", "found" if wanted else "given"),
    ]
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
    wanted = config.wanted_active
    asked = {"KL": f"{config.target:g} mean"}
    if wanted is not None:
        asked["L1"] = f"{wanted:g} active"
    head = ["Penalty", *metrics]
    rows = [
        ("Nonlinearity", {name: m.coding for name, m in metrics.items()}),
        ("Strength", _each(metrics, lambda m: f"{m.strength:.3g}" if m.strength else "–")),
        ("Asked for", {name: asked.get(name, "–") for name in metrics}),
        ("Squared error", _each(metrics, lambda m: f"{m.mse:.5f}")),
        ("Explained variance", _each(metrics, lambda m: f"{m.explained_variance:.1%}")),
        ("Mean activation", _each(metrics, lambda m: f"{m.mean_activation:.4f}")),
        (f"Active of {config.units}", _sparse(metrics, lambda m: f"{m.active_units:.1f}")),
        ("… in training", _sparse(metrics, lambda m: f"{m.active_in_training:.1f}")),
        ("Dead units", _sparse(metrics, lambda m: f"{m.dead_units}")),
        ("Revived", _sparse(metrics, lambda m: f"{m.revived}")),
        ("Saturated", _each(metrics, lambda m: "–" if m.is_sparse else f"{m.saturated:.1%}")),
    ]
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
        "data": result.data,
        "active": config.wanted_active,
        "epochs": config.epochs_for(result.training_samples),
    }
    pairs = [
        (element("dt", element("code", f"--{option(name)}")), element("dd", str(value)))
        for name, value in told.items()
        if value is not None
    ]
    return element("dl", *(part for pair in pairs for part in pair), class_="settings")


def _each(metrics: Mapping[str, Metrics], form: Callable[[Metrics], str]) -> dict[str, str]:
    return {name: form(m) for name, m in metrics.items()}


def _sparse(metrics: Mapping[str, Metrics], form: Callable[[Metrics], str]) -> dict[str, str]:
    return _each(metrics, lambda m: form(m) if m.is_sparse else "–")
