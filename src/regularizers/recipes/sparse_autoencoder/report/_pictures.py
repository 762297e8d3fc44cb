"""Samples, and what the networks make of them."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from regularizers.recipes.sparse_autoencoder._config import TITLES
from regularizers.recipes.sparse_autoencoder._result import Result
from regularizers.recipes.sparse_autoencoder.report._html import Html, element, joined
from regularizers.recipes.sparse_autoencoder.report._png import ink

SAMPLES = 12
STRIPS = 6
"""Samples of a table, which take more room."""


@torch.no_grad()
def reconstructions(result: Result) -> Html:
    """Return unseen samples, and what every network makes of each.

    Pictures go side by side, a row for each network; strips below each other, sample by sample.
    """
    x = result.data.validation[:SAMPLES]
    values = {"original": x} | {
        TITLES[kind]: one.network(x) for kind, one in result.trained.items()
    }
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
    if result.data.picture is not None:
        return _rows({name: joined(images) for name, images in tiles.items()}, "rows")
    return joined(
        _rows({name: images[i] for name, images in tiles.items()}, "rows strips")
        for i in range(min(STRIPS, len(x)))
    )


def _rows(content: Mapping[str, Html], style: str) -> Html:
    pairs = [(element("dt", name), element("dd", images)) for name, images in content.items()]
    return element("dl", *(part for pair in pairs for part in pair), class_=style)
