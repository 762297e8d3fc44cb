"""Samples, and what the networks make of them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from regularizers.recipes.sparse_autoencoder._config import TITLES
from regularizers.recipes.sparse_autoencoder._result import Result
from regularizers.recipes.sparse_autoencoder.report._png import color, ink

SAMPLES = 12
STRIPS = 6
"""Samples of a table, which take more room."""


@dataclass(frozen=True)
class Picture:
    """A picture within the page, and what a person who cannot see it is told."""

    src: str
    alt: str
    style: str = ""


Rows = list[tuple[str, list[Picture]]]


@torch.no_grad()
def reconstructions(result: Result) -> list[Rows]:
    """Return unseen samples, and what every network makes of each.

    Pictures go side by side, a row for each network; strips below each other, sample by sample.
    """
    x = result.data.validation[:SAMPLES]
    values = {"original": x} | {
        TITLES[kind]: one.network(x) for kind, one in result.trained.items()
    }
    rows = [
        (
            name,
            [
                sample(result, one, f"sample {i + 1}{'' if name == 'original' else f' by {name}'}")
                for i, one in enumerate(some)
            ],
        )
        for name, some in values.items()
    ]
    if result.data.picture is not None:
        return [rows]
    return [[(name, [images[i]]) for name, images in rows] for i in range(min(STRIPS, len(x)))]


def sample(result: Result, values: Tensor, alt: str) -> Picture:
    """Return the picture of a sample, in its colours or in ink: 0 is the page, 1 is the text."""
    picture = result.as_picture(values)
    return Picture(color(picture), alt) if result.in_color else Picture(ink(picture), alt, "ink")
