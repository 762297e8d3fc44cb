"""The result of a run: the trained networks, their figures and histories."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from regularizers.recipes.sparse_autoencoder._config import Config
from regularizers.recipes.sparse_autoencoder._data import Data
from regularizers.recipes.sparse_autoencoder._metrics import Metrics
from regularizers.sae import History, SparseAutoencoder

Floats = NDArray[np.floating]


@dataclass(frozen=True)
class Trained:
    """One network, its figures, and what happened while it trained."""

    network: SparseAutoencoder
    metrics: Metrics
    history: History
    warnings: list[str] = field(default_factory=list)
    """What the control of its strength said."""


@dataclass(frozen=True)
class Result:
    """All networks of a run by kind, the one that it is about first, and what they saw."""

    config: Config
    data: Data
    trained: dict[str, Trained]

    @property
    def first(self) -> Trained:
        """The network that the run is about."""
        return self.trained[self.config.architecture]

    @property
    def metrics(self) -> dict[str, Metrics]:
        """The figures of all networks."""
        return {kind: trained.metrics for kind, trained in self.trained.items()}

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of a sample as it is drawn, three colours first: a table's is a strip."""
        return self.data.picture or (1, self.data.features)

    @property
    def in_color(self) -> bool:
        """Whether samples are pictures of three colours."""
        return len(self.shape) == 3

    def as_picture(self, sample: Tensor) -> Floats:
        """Return a sample as (height, width), or as (height, width, 3) if it is in colour."""
        values: Floats = sample.reshape(self.shape).numpy()
        return np.moveaxis(values, 0, -1) if self.in_color else values

    def as_direction(self, column: Tensor) -> Floats:
        """Return a column of the dictionary as (height, width), the mean of its colours."""
        values: Floats = column.reshape(self.shape).numpy()
        return values.mean(axis=0) if self.in_color else values
