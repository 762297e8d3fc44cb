"""Samples, what the networks make of them, and what each unit adds to a reconstruction."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from regularizers.monitor import DensityHistogram
from regularizers.recipes.sparse_autoencoder._result import Result, Trained
from regularizers.recipes.sparse_autoencoder.report._html import Html, element, joined
from regularizers.recipes.sparse_autoencoder.report._png import ink, signed

SAMPLES = 12
STRIPS = 6
"""Samples of a table, which take more room."""
FEATURES = 24
"""Shown at once; the next unfold."""
MOST = 120
"""A page of more would be slow to open."""


@torch.no_grad()
def reconstructions(result: Result) -> Html:
    """Return unseen samples, and what every network makes of each.

    Pictures go side by side, a row for each network; strips below each other, sample by sample.
    """
    x = result.validation[:SAMPLES]
    values = {"original": x} | {name: t.network(x) for name, t in result.trained.items()}
    tiles = {
        name: [
            element(
                "img",
                src=ink(value.reshape(result.shape).numpy()),
                class_="ink",
                alt=f"sample {i + 1}" if name == "original" else f"sample {i + 1} by {name}",
            )
            for i, value in enumerate(rows)
        ]
        for name, rows in values.items()
    }
    if result.picture is not None:
        return _rows({name: joined(images) for name, images in tiles.items()}, "rows")
    return joined(
        _rows({name: images[i] for name, images in tiles.items()}, "rows strips")
        for i in range(min(STRIPS, len(x)))
    )


def _rows(content: Mapping[str, Html], style: str) -> Html:
    pairs = [(element("dt", name), element("dd", images)) for name, images in content.items()]
    return element("dl", *(part for pair in pairs for part in pair), class_=style)


def features(result: Result, name: str) -> Html:
    """Return the decoder's column of each unit, the most used first, with how often it is used."""
    trained = result.trained[name]
    use = use_of(trained, result.validation)
    order = use.argsort(descending=True, stable=True).tolist()
    tiles = [_feature(result, trained, unit, use[unit].item()) for unit in order[:MOST]]
    style = "features" if result.picture is not None else "features strips"
    shown = element("ul", *tiles[:FEATURES], class_=style)
    if len(tiles) <= FEATURES:
        return shown
    rest = element("ul", *tiles[FEATURES:], class_=style)
    which = "other" if len(tiles) == len(order) else "next"
    summary = element("summary", f"The {which} {len(tiles) - FEATURES}")
    return Html(shown + element("details", summary, rest))


@torch.no_grad()
def use_of(trained: Trained, x: Tensor) -> Tensor:
    """Return of each unit the share of samples it is active on; of a sigmoid the mean."""
    coding = trained.network.encode(x)
    if not trained.metrics.is_sparse:
        return coding.mean(dim=0)
    density = DensityHistogram()
    density.update(coding)
    return density.densities()


def _feature(result: Result, trained: Trained, unit: int, use: float) -> Html:
    column = trained.network.decoder.weight.detach()[:, unit].reshape(result.shape)
    said = "dead" if use == 0 else percent(use)
    alt = f"feature of unit {unit + 1}, {said if use == 0 else f'used {said}'}"
    return element("li", element("img", src=signed(column.numpy()), alt=alt), element("span", said))


def titled(name: str) -> str:
    """Return the title of what is shown of one network."""
    return "Without a penalty" if name == "none" else f"With {name}"


def percent(share: float) -> str:
    """Return a share in percent, in few characters, and never as 0 if it is not."""
    return f"{share:.0%}" if share >= 0.01 or share == 0 else "< 1%"
