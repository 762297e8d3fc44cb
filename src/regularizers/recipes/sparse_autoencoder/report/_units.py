"""The units: their directions, the samples that activate them most, and their nearest others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import normalize

import regularizers as rz
from regularizers._text import visible
from regularizers.monitor import DensityHistogram
from regularizers.recipes.sparse_autoencoder._config import TITLES
from regularizers.recipes.sparse_autoencoder._judgement import dead
from regularizers.recipes.sparse_autoencoder._result import Result, Trained
from regularizers.recipes.sparse_autoencoder.report._pictures import Picture, sample
from regularizers.recipes.sparse_autoencoder.report._png import signed

SHOWN = 24
"""Units shown at once; the next unfold."""
MOST = 120
"""A page of more would be slow to open."""
TOP = 5
"""Samples of each unit."""
NEAR = 2
"""Neighbours of each unit."""
COLUMNS = 3
"""Names of the columns that each unit of a table moves most."""

_LITTLE = 0.1
_LONG = 28


@dataclass(frozen=True)
class Tile:
    """A unit: its direction, and what it is about."""

    direction: Picture
    name: str
    id: str = ""
    columns: Sequence[str] = ()
    samples: Sequence[Picture] = ()
    rows: str = ""
    near: str = ""


@dataclass(frozen=True)
class Tiles:
    """The units that are shown at once, and those that unfold below `summary`."""

    first: Sequence[Tile]
    rest: Sequence[Tile]
    summary: str


@torch.no_grad()
def use_of(trained: Trained, x: Tensor) -> Tensor:
    """Return of each unit the share of samples it is active on; of a sigmoid the mean."""
    code = trained.network.encode(x)
    if not trained.metrics.is_sparse:
        return code.mean(dim=0) * trained.network.scale
    density = DensityHistogram()
    density.update(code)
    return density.densities()


def units_by_use(result: Result, kind: str) -> Tiles:
    """Return the units of a network, the most used first, each with what it is about."""
    trained, data = result.trained[kind], result.data
    use = use_of(trained, data.validation)
    order = use.argsort(descending=True, stable=True)[:MOST]
    top = rz.sae.top_samples(trained.network, data.validation, order, TOP)
    near, cosines = neighbours(trained.network.decoder.weight.detach(), NEAR)
    tiles = [
        Tile(
            *_direction(result, trained, unit, use[unit].item()),
            id=f"{kind}-{unit + 1}",
            columns=_columns(result, trained, unit),
            near=_near(near[unit].tolist(), cosines[unit].tolist()),
            **_samples(result, [i for i in indices if i >= 0]),
        )
        for unit, indices in zip(order.tolist(), top.indices.tolist(), strict=True)
    ]
    return _unfolding(tiles, len(use))


def features(result: Result, kind: str) -> Tiles:
    """Return the direction of each unit alone, the most used first."""
    trained = result.trained[kind]
    use = use_of(trained, result.data.validation)
    order = use.argsort(descending=True, stable=True)[:MOST].tolist()
    tiles = [Tile(*_direction(result, trained, unit, use[unit].item())) for unit in order]
    return _unfolding(tiles, len(use))


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


def strongest(direction: Tensor, names: Sequence[str]) -> list[str]:
    """Return the columns that a direction moves most, the farthest first, each with its sign.

    Columns that it moves less than a tenth as far as the first are left out.

    Example:
        >>> strongest(torch.tensor([0.1, -0.9, 0.4, 0.0]), ["width", "height", "depth", "age"])
        ['−height', '+depth', '+width']
    """
    sizes = direction.abs()
    found = sizes.topk(min(COLUMNS, len(sizes)))
    return [
        f"{'+' if direction[i] > 0 else '−'}{shortened(names[i], i + 1)}"
        for size, i in zip(found.values.tolist(), found.indices.tolist(), strict=True)
        if size > _LITTLE * found.values[0].item()
    ]


def shortened(name: str, number: int) -> str:
    """Return the name of a column; of a long one its ends, and its number to tell it by.

    Example:
        >>> shortened("the temperature of the outermost sensor", 7)
        'the temperatur…tmost sensor (7)'
    """
    name = visible(name)
    half = _LONG // 2
    return name if len(name) <= _LONG else f"{name[:half]}…{name[1 - half :]} ({number})"


def _columns(result: Result, trained: Trained, unit: int) -> list[str]:
    names = result.data.columns
    if names is None:
        return []
    return strongest(trained.network.decoder.weight.detach()[:, unit], names)


def _unfolding(tiles: list[Tile], units: int) -> Tiles:
    """Return the first tiles, and the others behind a line to unfold."""
    more = len(tiles) - SHOWN
    which = f"The other {more}" if len(tiles) == units else f"The next {more} of {units}"
    return Tiles(tiles[:SHOWN], tiles[SHOWN:], which)


def _direction(result: Result, trained: Trained, unit: int, use: float) -> tuple[Picture, str]:
    column = trained.network.decoder.weight.detach()[:, unit]
    said = f"{unit + 1}: {_never(result, trained) if use == 0 else percent(use)}"
    alt = f"direction of unit {said.replace(':', ', used' if use else ',')}"
    return Picture(signed(result.as_direction(column)), alt), said


def _never(result: Result, trained: Trained) -> str:
    """Return what a unit is called that no unseen sample activates."""
    return "dead" if dead(trained.metrics, result.config) else "never"


def _samples(result: Result, indices: list[int]) -> dict[str, Any]:
    """Return the samples as pictures; of a table, which nobody can tell apart, as row numbers."""
    if result.data.picture is None:
        rows = ", ".join(str(result.data.row_of(index)) for index in indices)
        return {"rows": f"rows {rows}" if indices else "no row"}
    x = result.data.validation
    return {"samples": [sample(result, x[i], f"sample {result.data.row_of(i)}") for i in indices]}


def _near(units: list[int], cosines: list[float]) -> str:
    said = [f"{unit + 1} ({cosine + 0.0:.2f})" for unit, cosine in zip(units, cosines, strict=True)]
    return f"near {', '.join(said)}".replace("-0.00", "0.00") if said else ""


def titled(kind: str) -> str:
    """Return the title of what is shown of one network."""
    return f"With {TITLES[kind]}"


def percent(share: float) -> str:
    """Return a share in percent, in few characters, and never as 0 if it is not."""
    return f"{share:.0%}" if share >= 0.01 or share == 0 else "< 1%"
