"""Presets of network and training, from one minute to the published size."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal

SizeName = Literal["tiny", "small", "medium", "published"]


@dataclass(frozen=True)
class Dropouts:
    """The five dropout rates, and the scope of each mask."""

    embedding: float
    """Whole words, for a window."""

    input: float
    """Units of the embedded words, for a window and a stream."""

    hidden: float
    """Units between recurrent layers, for a window and a stream."""

    output: float
    """Units of the last layer, for a window and a stream."""

    weight: float
    """Hidden-to-hidden weights, for a window."""

    def scaled(self, factor: float) -> Dropouts:
        """Return the rates, each times `factor`."""
        return Dropouts(**{f.name: factor * getattr(self, f.name) for f in fields(self)})


@dataclass(frozen=True)
class Size:
    """The shape of a network, the shape of its batches, and what suits both."""

    embedding: int
    hidden: int
    layers: int
    batch_size: int
    window: int
    epochs: int
    learning_rate: float
    dropouts: Dropouts


SIZES: dict[SizeName, Size] = {
    "tiny": Size(100, 100, 2, 20, 35, 8, 1e-2, Dropouts(0.02, 0.25, 0.15, 0.1, 0.2)),
    "small": Size(200, 200, 2, 20, 35, 5, 1e-2, Dropouts(0.05, 0.4, 0.2, 0.4, 0.2)),
    "medium": Size(300, 600, 3, 40, 70, 30, 5e-3, Dropouts(0.1, 0.5, 0.25, 0.4, 0.4)),
    # section 5 of arXiv 1708.02182, as for WikiText-2; the rate is of this optimizer, not of SGD
    "published": Size(400, 1150, 3, 80, 70, 100, 3e-3, Dropouts(0.1, 0.65, 0.3, 0.4, 0.5)),
}
