"""The page, from its heading to its foot."""

from __future__ import annotations

import re

import regularizers as rz
from regularizers.recipes.sparse_autoencoder._config import TITLES
from regularizers.recipes.sparse_autoencoder._result import Result
from regularizers.recipes.sparse_autoencoder.report._advice import Advice, advice_for
from regularizers.recipes.sparse_autoencoder.report._densities import density_charts
from regularizers.recipes.sparse_autoencoder.report._html import Html, element, filled, joined, read
from regularizers.recipes.sparse_autoencoder.report._pictures import reconstructions
from regularizers.recipes.sparse_autoencoder.report._tables import (
    figures_table,
    key_numbers,
    settings_list,
)
from regularizers.recipes.sparse_autoencoder.report._training import training_charts
from regularizers.recipes.sparse_autoencoder.report._units import features, titled, units_by_use


def page(result: Result) -> str:
    """Return the report as one HTML page that asks for nothing else."""
    return filled(
        "page.html",
        title=f"Sparse autoencoder: {result.data.name}",
        style=Html(read("style.css")),
        data=result.data.name,
        heading=_heading(result),
        lead=_lead(result),
        numbers=key_numbers(result),
        sections=joined(_sections(result), "\n"),
        made=f"regularizers {rz.__version__}. The same settings and data give the same page.",
    )


def _heading(result: Result) -> str:
    found = result.first.metrics
    return (
        f"{found.active_units:.1f} of {result.config.units} units explain "
        f"{found.explained_variance:.1%} of the variance"
    )


def _lead(result: Result) -> str:
    config, data = result.config, result.data
    first, *others = [TITLES[kind] for kind in result.trained]
    beside = f", and for comparison with {' and with '.join(others)}," if others else ""
    height, width = result.shape
    kind = "columns" if data.picture is None else f"pixels ({height} × {width})"
    return (
        f"A dictionary of {config.units} directions was trained with {first}{beside} on "
        f"{data.training_samples} samples of {data.features} {kind}, in {config.steps} steps. All "
        f"figures are of {len(data.validation)} samples it has not seen."
    )


def _sections(result: Result) -> list[Html]:
    return [
        _section("What stands out", "", _advice(advice_for(result))),
        _section("Figures", "", figures_table(result)),
        _section(
            "Training",
            "Steps from left to right; each point is one batch.",
            training_charts(result),
        ),
        _section(
            "Reconstructions",
            "Unseen samples, and what each network makes of them.",
            reconstructions(result),
        ),
        _section(
            f"The units of {TITLES[result.config.architecture]}",
            "The direction of each unit in the dictionary, red where it adds and blue where it "
            "takes away, the most used first. Below each its number, the share of unseen samples "
            "on which it is active, those that activate it most, and the units whose directions "
            "are nearest, with their cosines.",
            units_by_use(result, result.config.architecture),
        ),
        *_others(result),
        _section(
            "How often units are used",
            "Units by the share of unseen samples on which they are active.",
            density_charts(result),
        ),
        _section("Settings", "", settings_list(result)),
    ]


def _others(result: Result) -> list[Html]:
    others = [kind for kind in result.trained if kind != result.config.architecture]
    if not others:
        return []
    shown = [Html(element("h3", titled(kind)) + features(result, kind)) for kind in others]
    introduction = (
        "Their directions, and how often each is active; of a sigmoid its mean activation."
    )
    return [_section("The units of the others", introduction, *shown)]


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
