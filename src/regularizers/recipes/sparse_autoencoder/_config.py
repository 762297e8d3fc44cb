"""The settings of the sparse autoencoder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from regularizers.penalties import KLSparsity
from regularizers.penalties.strength import check_strength
from regularizers.recipes._settings import check, check_counts, check_rate, epochs_for

STEPS = 4500
"""Updates of a network if `epochs` is not given."""

ACTIVE = 10.0
"""Units that L1 leaves active if neither `active` nor `l1` is given."""

Revive = Literal["resample", "auxiliary", "none"]
"""How dead units are revived."""


@dataclass(frozen=True)
class Config:
    """Train a sparse autoencoder by activity regularization, and show what the penalty did.

    The same network is trained three times: without a penalty, with L1 on a ReLU coding, and with
    the KL divergence from a target mean activation on a sigmoid coding. L1 is told how many units
    to leave active and finds its strength itself. It ends with a table, a picture, a report to
    read in a browser, and a folder that holds them, the networks, and all figures.
    """

    data: Path | None = None
    """Samples in rows: .npy, .npz, .csv, or pictures in IDX (each may be compressed: .gz).
    By default the 1797 handwritten digits of scikit-learn."""

    units: int = 100
    """Units of the coding."""

    active: float | None = None
    """Units of the coding that L1 leaves active on a sample, on average; by default 10."""

    l1: float | None = None
    """A constant strength of L1 instead: summed over units, averaged over samples, against the
    mean squared error."""

    revive: Revive = "resample"
    """How dead units are revived with L1. resample: re-initialise them at badly reconstructed
    samples. auxiliary: a term of the loss by which they reconstruct the residual."""

    kl: float = 1e-2
    """Strength of the KL divergence, summed over units."""

    target: float = 0.1
    """Target of the mean activation in the KL divergence."""

    epochs: int | None = None
    """Passes over the training data; by default as many as make 4500 updates."""

    batch_size: int = 32
    """Samples in an update."""

    learning_rate: float = 2e-3
    """Learning rate of NAdam; it falls to zero over the last third."""

    validation: float = 0.2
    """Fraction of the samples kept for validation."""

    seed: int = 0
    """Seed of the split, the order and the initial weights."""

    runs: Path = Path("runs")
    """Folder in which the folder of this run is made."""

    resume: Path | None = None
    """Folder of an interrupted run to go on with; it knows its settings."""

    def check(self) -> None:
        """Raise a `RegularizersError` unless every setting is valid."""
        check_strength(self.kl, "kl")
        KLSparsity(self.kl, self.target)
        check_counts(units=self.units, batch_size=self.batch_size, epochs=self.epochs)
        self._check_l1()
        check("seed", self.seed >= 0, "0 or more", self.seed)
        check("validation", 0 < self.validation < 1, "between 0 and 1", self.validation)
        check_rate("learning-rate", self.learning_rate)

    @property
    def wanted_active(self) -> float | None:
        """The target number of active units with L1; None if its strength is constant."""
        if self.l1 is not None:
            return None
        return ACTIVE if self.active is None else self.active

    def _check_l1(self) -> None:
        if self.l1 is not None:
            check_strength(self.l1, "l1")
            check(
                "active",
                self.active is None,
                "nothing beside --l1, since a strength is either given or found",
                self.active,
            )
        elif self.wanted_active is not None:
            check(
                "active",
                0 < self.wanted_active <= self.units,
                f"more than 0 and at most --units {self.units}",
                f"{self.wanted_active:g}",
            )
        check("revive", self.revive in get_args(Revive), " or ".join(get_args(Revive)), self.revive)

    def epochs_for(self, samples: int) -> int:
        """Return the passes over `samples` training samples."""
        return self.epochs or epochs_for(STEPS, samples, self.batch_size)
