"""The settings of the sparse autoencoder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from regularizers.penalties import KLSparsity
from regularizers.penalties.strength import check_strength
from regularizers.recipes._settings import Architecture, Scale, check, check_counts, check_rate
from regularizers.recipes._split_options import check_split
from regularizers.recipes.data import TableOptions

Beside = Literal["l1", "kl"]

TITLES = {
    "jumprelu": "JumpReLU",
    "topk": "TopK",
    "batchtopk": "BatchTopK",
    "gated": "Gated",
    "l1": "L1",
    "kl": "KL",
}
"""What the networks are called in tables and pictures."""


@dataclass(frozen=True)
class Config(TableOptions):
    """Train a sparse autoencoder that is told how many units are active, and show what it learned.

    A code of many units, few of them active in each sample, is decoded by directions of norm 1.
    Beside it, for comparison, the same is trained with L1 on a ReLU code, and with the KL
    divergence from a target mean activation on a sigmoid code. It ends with a table, a picture, a
    report to read in a browser, and a folder that holds them, the networks, and all figures.

    `regularizers sparse-autoencoder superposition` compares codes with a dictionary that is known.
    """

    data: Path | None = None
    """Samples in rows: .npy, .npz, a table such as .csv, pictures in IDX or in a folder, or a
    folder of stored activations. By default the 1797 handwritten digits of scikit-learn."""

    site: str | None = None
    """Which site of a folder of activations, if it has several."""

    scale: Scale | None = None
    """How columns are scaled, by what the training part shows: to mean 0 and deviation 1, to 0 and
    1, by median and quartiles, or not. By default minmax for tables; pictures are divided by their
    largest value, and a folder of activations is taken as it is."""

    architecture: Architecture = "jumprelu"
    """How the code is made, and what holds its active units."""

    beside: tuple[Beside, ...] = ("l1", "kl")
    """What is trained for comparison; nothing after `--beside` trains the architecture alone."""

    units: int = 100
    """Units of the code."""

    active: float = 10.0
    """Units of the code that are active in a sample, on average."""

    steps: int = 1500
    """Updates of each network."""

    batch_size: int = 64
    """Samples in an update."""

    learning_rate: float = 3e-3
    """Learning rate of Adam; it falls to zero over the last third."""

    revive: bool = True
    """Whether units that explain next to nothing start anew where much is left to explain."""

    kl: float = 4.0
    """Strength of the KL divergence, summed over units."""

    target: float | None = None
    """Target of the mean activation in the KL divergence; by default --active of --units."""

    validation: float | Path = 0.2
    """Fraction of the samples kept for validation; of a folder at most 20,000 rows, its last. Or
    a file of others, for a folder another folder."""

    group: str | None = None
    """Column of a table whose rows of one value, such as a patient, are all in one part. It is no
    feature."""

    time: str | None = None
    """Column of a table with the time of each row; the last part validates. It is no feature."""

    devices: int = 1
    """Devices to train on; without accelerators, processes."""

    seed: int = 0
    """Seed of the split, the order and the initial weights."""

    runs: Path = Path("runs")
    """Folder in which the folder of this run is made."""

    resume: Path | None = None
    """Folder of an interrupted run to go on with; it knows its settings."""

    from_scratch: tuple[str, ...] = ()
    """Networks of the run to --resume that are trained anew, by the names of their files."""

    def check(self) -> None:
        """Raise a `RegularizersError` unless every setting is valid."""
        check_strength(self.kl, "kl")
        check_counts(
            units=self.units, batch_size=self.batch_size, steps=self.steps, devices=self.devices
        )
        # a NaN is in no range
        in_range = 0 < self.active < self.units
        expected = f"more than 0 and less than --units {self.units}"
        check("active", in_range, expected, f"{self.active:g}")
        architectures = get_args(Architecture)
        known = self.architecture in architectures
        check("architecture", known, " or ".join(architectures), self.architecture)
        known = set(self.beside) <= set(get_args(Beside))
        check("beside", known, " or ".join(get_args(Beside)), " ".join(self.beside))
        KLSparsity(self.kl, self.mean_activation)
        check("seed", self.seed >= 0, "0 or more", self.seed)
        self.check_table()
        check_split(self.validation, self.group, self.time)
        check_rate("learning-rate", self.learning_rate)

    @property
    def mean_activation(self) -> float:
        """The target of the KL divergence."""
        return self.active / self.units if self.target is None else self.target

    @property
    def kinds(self) -> list[str]:
        """The networks that a run trains, the one that it is about first."""
        return list(dict.fromkeys([self.architecture, *self.beside]))
