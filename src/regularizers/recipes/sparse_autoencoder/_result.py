"""The result of a run: the trained networks, their figures and histories."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from regularizers.recipes.sparse_autoencoder._config import Config
from regularizers.recipes.sparse_autoencoder._history import History
from regularizers.recipes.sparse_autoencoder._metrics import Metrics
from regularizers.recipes.sparse_autoencoder._network import Autoencoder


@dataclass(frozen=True)
class Trained:
    """One network, its figures, and what happened while it trained."""

    network: Autoencoder
    metrics: Metrics
    history: History


@dataclass(frozen=True)
class Result:
    """All networks of a run by name, the one without a penalty first, and what they saw."""

    config: Config
    data: str
    """The name of the samples."""
    training_samples: int
    validation: Tensor
    """Samples the networks have not seen, of shape (samples, features)."""
    picture: tuple[int, int] | None
    """Height and width of a sample; None for a table."""
    trained: dict[str, Trained]

    @property
    def metrics(self) -> dict[str, Metrics]:
        """The figures of all networks."""
        return {name: trained.metrics for name, trained in self.trained.items()}

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of a sample as it is drawn: a table's is a strip."""
        return self.picture or (1, self.validation.shape[1])
