"""The result of a run: the trained networks, their figures and histories."""

from __future__ import annotations

from dataclasses import dataclass, field

from regularizers.recipes.sparse_autoencoder._config import Config
from regularizers.recipes.sparse_autoencoder._data import Data
from regularizers.recipes.sparse_autoencoder._metrics import Metrics
from regularizers.sae import History, SparseAutoencoder


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
    def shape(self) -> tuple[int, int]:
        """Height and width of a sample as it is drawn: a table's is a strip."""
        return self.data.picture or (1, self.data.features)
