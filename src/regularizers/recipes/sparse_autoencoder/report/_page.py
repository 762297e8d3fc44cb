"""The page, from its heading to its foot."""

from __future__ import annotations

import re

import regularizers as rz
from regularizers.recipes.sparse_autoencoder._result import Result
from regularizers.recipes.sparse_autoencoder.report._advice import Advice, advice_for
from regularizers.recipes.sparse_autoencoder.report._densities import density_charts
from regularizers.recipes.sparse_autoencoder.report._html import Html, element, filled, joined, read
from regularizers.recipes.sparse_autoencoder.report._pictures import (
    features,
    reconstructions,
    titled,
)
from regularizers.recipes.sparse_autoencoder.report._tables import (
    figures_table,
    key_numbers,
    settings_list,
)
from regularizers.recipes.sparse_autoencoder.report._training import training_charts


def page(result: Result) -> str:
    """Return the report as one HTML page that asks for nothing else."""
    return filled(
        "page.html",
        title=f"Sparse autoencoder: {result.data}",
        style=Html(read("style.css")),
        data=result.data,
        heading=_heading(result),
        lead=_lead(result),
        numbers=key_numbers(result),
        sections=joined(_sections(result), "\n"),
        made=f"regularizers {rz.__version__}. The same settings and data give the same page.",
    )


def _heading(result: Result) -> str:
    l1 = result.metrics["L1"]
    return (
        f"{l1.active_units:.1f} of {result.config.units} units explain "
        f"{l1.explained_variance:.1%} of the variance"
    )


def _lead(result: Result) -> str:
    config, samples = result.config, result.training_samples
    epochs = config.epochs_for(samples)
    height, width = result.shape
    kind = "columns" if result.picture is None else f"pixels ({height} × {width})"
    return (
        f"The same network was trained without a penalty, with L1 and with KL, on {samples} "
        f"samples of {result.validation.shape[1]} {kind}, {epochs} times over. All figures are of "
        f"{len(result.validation)} samples it has not seen."
    )


def _sections(result: Result) -> list[Html]:
    return [
        _section("What stands out", "", _advice(advice_for(result))),
        _section("Figures", "", figures_table(result)),
        _section(
            "Training",
            "Updates from left to right; each point is a mean over those since the one before.",
            training_charts(result),
        ),
        _section(
            "Reconstructions",
            "Unseen samples, and what each network makes of them.",
            reconstructions(result),
        ),
        _section(
            "Features",
            "What each unit adds to a reconstruction, red where more and blue where less, the most "
            "used first. Below each the share of unseen samples on which it is active; of a "
            "sigmoid, which always is, its mean activation.",
            *(
                Html(element("h3", titled(name)) + features(result, name))
                for name in sorted(result.trained, key=["L1", "none", "KL"].index)
            ),
        ),
        _section(
            "How often units are used",
            "Units by the share of unseen samples on which they are active.",
            density_charts(result),
        ),
        _section("Settings", "", settings_list(result)),
    ]


def _section(title: str, introduction: str, *content: Html) -> Html:
    said = [element("p", introduction)] if introduction else []
    return element("section", element("h2", title), *said, *content)


def _with_options(text: str) -> Html:
    """Return text in which what is typed on the command line looks like it."""
    parts = re.split(r"(--[a-z0-9-]+)", text)
    return joined(element("code", part) if i % 2 else part for i, part in enumerate(parts))


def _advice(advice: list[Advice]) -> Html:
    items = []
    for one in advice:
        level = element("span", one.level, class_=f"level {one.level}")
        cure = element("span", _with_options(one.cure), class_="cure")
        items.append(element("li", level, element("p", one.finding, " ", cure)))
    return element("ul", *items, class_="advice")
