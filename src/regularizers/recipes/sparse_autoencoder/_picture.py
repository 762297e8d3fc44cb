"""The picture: inputs, reconstructions, learned features and activity of the units."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from regularizers.recipes._drawing import set_title, short
from regularizers.recipes.sparse_autoencoder._config import TITLES
from regularizers.recipes.sparse_autoencoder._networks import activations_of
from regularizers.recipes.sparse_autoencoder._result import Floats, Result

_SHOWN = 12
_FEATURES = 40


@torch.no_grad()
def draw(result: Result, path: Path) -> None:
    """Draw originals, reconstructions, learned features and histograms of activations.

    Args:
        result: the trained networks, and samples that they have not seen.
        path: the PNG file to write.
    """
    x = result.data.validation
    networks = {TITLES[kind]: one.network for kind, one in result.trained.items()}
    codes = {name: network.encode(x) for name, network in networks.items()}
    outputs = {name: networks[name].decode(code) for name, code in codes.items()}
    rows = {"original": x, **outputs}
    heights = (0.75 * len(rows), 1.35 * len(networks), 2.6)
    figure = Figure(figsize=(13, sum(heights) + 1.1), layout="constrained")
    set_title(figure, result.data.name)
    top, middle, bottom = figure.subfigures(3, 1, squeeze=False, height_ratios=heights).flat
    top.suptitle("Reconstructions of samples not seen in training", fontsize=11)
    for axes, (name, values) in zip(
        top.subplots(len(rows), 1, squeeze=False).flat, rows.items(), strict=True
    ):
        tiles = [result.as_picture(value) for value in values[:_SHOWN]]
        _show_tiles(axes, tiles, columns=_SHOWN, signed=False)
        axes.set_ylabel(name, rotation=0, ha="right", va="center")
    middle.suptitle("Directions of the units that are used most", fontsize=11)
    for axes, (name, network) in zip(
        middle.subplots(len(networks), 1, squeeze=False).flat, networks.items(), strict=True
    ):
        order = codes[name].mean(dim=0).argsort(descending=True)[:_FEATURES]
        tiles = [result.as_direction(column) for column in network.decoder.weight[:, order].T]
        _show_tiles(axes, tiles, columns=_FEATURES // 2, signed=True)
        axes.set_ylabel(name, rotation=0, ha="right", va="center")
    bottom.suptitle("Activations of the code, each unit on each sample", fontsize=11)
    for axes, (name, code) in zip(
        bottom.subplots(1, len(networks), squeeze=False).flat, codes.items(), strict=True
    ):
        _show_histogram(axes, name, activations_of(networks[name], code))
    figure.savefig(path, dpi=110)


def _show_tiles(axes: Axes, tiles: Sequence[Floats], *, columns: int, signed: bool) -> None:
    """Show pictures side by side, each scaled to its own largest value if signed."""
    height, width, *colors = tiles[0].shape
    rows = -(-len(tiles) // columns)
    # white is nothing in a picture of colours, which has no place for NaN
    nothing = 1.0 if colors else np.nan
    sheet = np.full((rows * (height + 1) - 1, columns * (width + 1) - 1, *colors), nothing)
    for i, tile in enumerate(tiles):
        row, column = divmod(i, columns)
        scale = max(float(np.abs(tile).max()), 1e-12) if signed else 1.0
        y, x = row * (height + 1), column * (width + 1)
        sheet[y : y + height, x : x + width] = tile / scale
    axes.imshow(
        np.clip(sheet, 0, 1) if colors else sheet,
        vmin=-1 if signed else 0,
        vmax=1,
        cmap="RdBu_r" if signed else "gray_r",
        aspect="auto" if height == 1 else "equal",
        interpolation="nearest",
    )
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)


def _show_histogram(axes: Axes, name: str, code: Tensor) -> None:
    """Show what is not 0; beside the zeros of a sparse code no other bar would be seen."""
    values = code.flatten().numpy()
    active = values[values != 0]
    said = f"{1 - active.size / values.size:.1%} are 0, " if active.size < values.size else ""
    if not active.size:
        axes.set_title(f"{name}: all are 0", fontsize=10)
        axes.set_axis_off()
        return
    axes.hist(active, bins=60, color="#30638e", log=True)
    mean = short(float(active.mean(dtype=np.float64)))
    axes.set_title(f"{name}: {said}mean {'of the others ' if said else ''}{mean}", fontsize=10)
    axes.set_xlabel("activation")
    axes.set_ylabel("count, logarithmic")
    axes.spines[["top", "right"]].set_visible(False)
