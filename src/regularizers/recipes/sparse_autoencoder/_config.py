"""What a run of the sparse autoencoder is told."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from regularizers.penalties import KLSparsity
from regularizers.penalties._strength import check_strength
from regularizers.recipes._settings import check, check_counts, check_rate, epochs_for

STEPS = 4500
"""How many updates a network gets where `epochs` is not given."""


@dataclass(frozen=True)
class Config:
    """Train a sparse autoencoder by activity regularization, and show what the penalty did.

    The same network is trained three times: without a penalty, with L1 on a ReLU coding, and with
    the KL divergence from a target mean activation on a sigmoid coding. It ends with a table, a
    picture, and a folder that holds both, the networks, and all figures.
    """

    data: Path | None = None
    """Samples in rows: .npy, .npz, .csv, or pictures in IDX (each may be compressed: .gz).
    By default the 1797 handwritten digits of scikit-learn."""

    units: int = 100
    """Units of the coding."""

    l1: float = 5e-3
    """Strength of L1: summed over units, averaged over samples, against the mean squared error."""

    kl: float = 1e-2
    """Strength of the KL divergence, summed over units."""

    target: float = 0.1
    """Mean activation the KL divergence pulls to."""

    epochs: int | None = None
    """Passes over the training data; by default as many as make 4500 updates."""

    batch_size: int = 32
    """Samples in an update."""

    learning_rate: float = 1e-3
    """Of NAdam; it falls to zero over the last third."""

    validation: float = 0.2
    """Share of the samples kept for validation."""

    seed: int = 0
    """Of the split, the order and the initial weights."""

    runs: Path = Path("runs")
    """Folder in which the folder of this run is made."""

    resume: Path | None = None
    """Folder of an interrupted run to go on with; it knows its settings."""

    def check(self) -> None:
        """Raise a `RegularizersError` unless every setting is one it can have."""
        check_strength(self.l1, "l1")
        check_strength(self.kl, "kl")
        KLSparsity(self.kl, self.target)
        check_counts(units=self.units, batch_size=self.batch_size, epochs=self.epochs)
        check("seed", self.seed >= 0, "0 or more", self.seed)
        check("validation", 0 < self.validation < 1, "between 0 and 1", self.validation)
        check_rate("learning-rate", self.learning_rate)

    def epochs_for(self, samples: int) -> int:
        """Return the passes over `samples` training samples."""
        return self.epochs or epochs_for(STEPS, samples, self.batch_size)
