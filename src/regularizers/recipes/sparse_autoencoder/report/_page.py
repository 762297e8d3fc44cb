"""The page, from its heading to its foot."""

from __future__ import annotations

import regularizers as rz
from regularizers.recipes.sparse_autoencoder._config import TITLES
from regularizers.recipes.sparse_autoencoder._judgement import collapsed
from regularizers.recipes.sparse_autoencoder._result import Result
from regularizers.recipes.sparse_autoencoder.report._advice import advice_for
from regularizers.recipes.sparse_autoencoder.report._densities import density_charts
from regularizers.recipes.sparse_autoencoder.report._figures import (
    figures_table,
    key_numbers,
    settings_list,
)
from regularizers.recipes.sparse_autoencoder.report._pictures import reconstructions
from regularizers.recipes.sparse_autoencoder.report._templates import render
from regularizers.recipes.sparse_autoencoder.report._training import training_charts
from regularizers.recipes.sparse_autoencoder.report._units import features, titled, units_by_use


def page(result: Result) -> str:
    """Return the report as one HTML page that asks for nothing else."""
    kind = result.config.architecture
    return render(
        "page.html",
        title=f"Sparse autoencoder: {result.data.name}",
        data=result.data.name,
        heading=_heading(result),
        lead=_lead(result),
        numbers=key_numbers(result),
        advice=advice_for(result),
        figures=figures_table(result),
        training=training_charts(result),
        reconstructions=reconstructions(result),
        strips=result.data.picture is None,
        first=TITLES[kind],
        units_said=_units_said(result),
        tiles=units_by_use(result, kind),
        others=[(titled(other), features(result, other)) for other in _others(result)],
        densities=density_charts(result),
        settings=settings_list(result),
        made=f"regularizers {rz.__version__}. The same settings and data give the same page.",
    )


def _heading(result: Result) -> str:
    found, units = result.first.metrics, result.config.units
    if found.explained_variance <= 0:
        return (
            f"{found.active_units:.1f} of {units} units are active, and explain nothing: the mean "
            f"sample is as good a reconstruction"
        )
    end = ": the training collapsed" if collapsed(found, result.config) else ""
    return (
        f"{found.active_units:.1f} of {units} units explain "
        f"{found.explained_variance:z.1%} of the variance{end}"
    )


def _lead(result: Result) -> str:
    config, data = result.config, result.data
    first, *others = [TITLES[kind] for kind in result.trained]
    beside = f", and for comparison with {' and with '.join(others)}," if others else ""
    height, width = result.shape[-2:]
    kind = "columns" if data.picture is None else f"pixels ({height} × {width})"
    if result.in_color:
        kind = f"values ({height} × {width} pixels of three colours)"
    return (
        f"A dictionary of {config.units} directions was trained with {first}{beside} on "
        f"{data.training_samples} samples of {data.features} {kind}, in {config.steps} steps. All "
        f"figures are of {len(data.validation)} samples it has not seen."
    )


def _units_said(result: Result) -> str:
    columns = (
        ""
        if result.data.columns is None
        else "the columns that it moves most (a long name by its ends and its number), "
    )
    mean = ", the mean of its colours" if result.in_color else ""
    return (
        f"The direction of each unit in the dictionary{mean}, red where it adds and blue where it "
        f"takes away, the most used first. Below each its number, the share of unseen samples on "
        f"which it is active, {columns}the samples that activate it most, and the units whose "
        f"directions are nearest, with their cosines."
    )


def _others(result: Result) -> list[str]:
    return [kind for kind in result.trained if kind != result.config.architecture]
