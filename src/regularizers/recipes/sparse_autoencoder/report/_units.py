"""The units: their directions, the samples that activate them most, and their nearest others."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import normalize

import regularizers as rz
from regularizers.monitor import DensityHistogram
from regularizers.recipes.sparse_autoencoder._config import TITLES
from regularizers.recipes.sparse_autoencoder._result import Result, Trained
from regularizers.recipes.sparse_autoencoder.report._html import Html, element, joined
from regularizers.recipes.sparse_autoencoder.report._png import ink, signed

SHOWN = 24
"""Units shown at once; the next unfold."""
MOST = 120
"""A page of more would be slow to open."""
TOP = 5
"""Samples of each unit."""
NEAR = 2
"""Neighbours of each unit."""


@torch.no_grad()
def use_of(trained: Trained, x: Tensor) -> Tensor:
    """Return of each unit the share of samples it is active on; of a sigmoid the mean."""
    code = trained.network.encode(x)
    if not trained.metrics.is_sparse:
        return code.mean(dim=0) * trained.network.scale
    density = DensityHistogram()
    density.update(code)
    return density.densities()


def units_by_use(result: Result, kind: str) -> Html:
    """Return the units of a network, the most used first, each with what it is about."""
    trained, data = result.trained[kind], result.data
    use = use_of(trained, data.validation)
    order = use.argsort(descending=True, stable=True)[:MOST]
    top = rz.sae.top_samples(trained.network, data.validation, order, TOP)
    near, cosines = neighbours(trained.network.decoder.weight.detach(), NEAR)
    tiles = [
        element(
            "li",
            _direction(result, trained, unit, use[unit].item()),
            _samples(result, [i for i in indices if i >= 0]),
            _near(near[unit].tolist(), cosines[unit].tolist()),
            id=f"{kind}-{unit + 1}",
        )
        for unit, indices in zip(order.tolist(), top.indices.tolist(), strict=True)
    ]
    return _unfolding(tiles, len(use), result, "units")


def features(result: Result, kind: str) -> Html:
    """Return the direction of each unit alone, the most used first."""
    trained = result.trained[kind]
    use = use_of(trained, result.data.validation)
    order = use.argsort(descending=True, stable=True)[:MOST].tolist()
    tiles = [element("li", _direction(result, trained, unit, use[unit].item())) for unit in order]
    return _unfolding(tiles, len(use), result, "features")


def neighbours(decoder: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Return of each unit the others whose directions are nearest, and the cosines.

    Args:
        decoder: (features, units).
        count: how many of each; of fewer units, all others.

    Returns:
        The units and the cosines, (units, count), the nearest first.
    """
    directions = normalize(decoder, dim=0)
    cosines = directions.T @ directions
    cosines.fill_diagonal_(-2.0)
    found = cosines.topk(min(count, len(cosines) - 1), dim=1)
    return found.indices, found.values


def _unfolding(tiles: list[Html], units: int, result: Result, style: str) -> Html:
    """Return the first tiles, and the others behind a line to unfold."""
    style = style if result.data.picture is not None else f"{style} strips"
    shown = element("ul", *tiles[:SHOWN], class_=style)
    if len(tiles) <= SHOWN:
        return shown
    rest = element("ul", *tiles[SHOWN:], class_=style)
    which = "other" if len(tiles) == units else "next"
    summary = element("summary", f"The {which} {len(tiles) - SHOWN}")
    return Html(shown + element("details", summary, rest))


def _direction(result: Result, trained: Trained, unit: int, use: float) -> Html:
    column = trained.network.decoder.weight.detach()[:, unit].reshape(result.shape)
    said = "dead" if use == 0 else percent(use)
    alt = f"direction of unit {unit + 1}, {said if use == 0 else f'used {said}'}"
    image = element("img", src=signed(column.numpy()), alt=alt)
    return joined([image, element("span", f"{unit + 1}: {said}")])


def _samples(result: Result, indices: list[int]) -> Html:
    """Return the samples as pictures; of a table, which nobody can tell apart, as row numbers."""
    if result.data.picture is None:
        rows = ", ".join(str(index + 1) for index in indices)
        return element("span", f"rows {rows}" if indices else "no row", class_="top")
    x = result.data.validation
    images = [
        element(
            "img",
            src=ink(x[index].reshape(result.shape).numpy()),
            class_="ink",
            alt=f"unseen sample {index + 1}",
        )
        for index in indices
    ]
    return element("span", *images, class_="top")


def _near(units: list[int], cosines: list[float]) -> Html:
    said = [f"{unit + 1} ({cosine:.2f})" for unit, cosine in zip(units, cosines, strict=True)]
    return element("small", f"near {', '.join(said)}" if said else "")


def titled(kind: str) -> str:
    """Return the title of what is shown of one network."""
    return f"With {TITLES[kind]}"


def percent(share: float) -> str:
    """Return a share in percent, in few characters, and never as 0 if it is not."""
    return f"{share:.0%}" if share >= 0.01 or share == 0 else "< 1%"
