"""The settings of the classifier."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from regularizers.errors import ConfigurationError
from regularizers.penalties.strength import check_strength
from regularizers.recipes._settings import Scale, check, check_counts, check_rate, epochs_for
from regularizers.recipes._split_options import check_split
from regularizers.recipes.classifier._strengths import STRENGTHS, TOGETHER
from regularizers.recipes.data import TableOptions
from regularizers.recipes.search import check_search

STEPS = 1500
"""Updates of a network if `epochs` is not given."""


@dataclass(frozen=True)
class Config(TableOptions):
    """Train a classifier with and without regularization, and show what each kind did.

    The same network is trained without any, with weight decay, L1 on its kernels, dropout, batch
    normalization, L1 on its activations, and all together, each from several seeds. It ends with a
    table, a picture, and a folder that holds both, the networks, and all figures.
    """

    data: Path | None = None
    """Samples: a table with --target; pictures or rows in IDX, .npy or .npz with --labels; an .npz
    with x and y; or a folder of pictures for each class. By default the 1797 handwritten digits of
    scikit-learn."""

    target: str | None = None
    """Column of the table that is the class: its name, or its number from 1 where the first line
    has no names."""

    labels: Path | None = None
    """File with the class of each sample, in IDX, .npy or .npz."""

    scale: Scale | None = None
    """How columns are scaled, by what the training part shows: to mean 0 and deviation 1, to 0 and
    1, by median and quartiles, or not. By default standard for tables; pictures are divided by
    their largest value."""

    network: Literal["mlp", "conv"] = "mlp"
    """Two hidden layers, or, for pictures, two convolutional ones."""

    units: int = 256
    """Units of each hidden layer of the mlp."""

    weight_decay: float = 2e-3
    """Weight decay of the kernels: their multiple that is added to the gradient."""

    l1: float = 2e-4
    """Strength of L1 on the kernels: summed over weights, against the mean cross-entropy."""

    dropout: float = 0.5
    """Probability that a hidden unit is dropped."""

    activity: float = 0.25
    """Strength of L1 on the hidden layers' activations: averaged over units and samples, summed
    over layers."""

    together: tuple[str, ...] = TOGETHER
    """What the last method combines."""

    search: tuple[str, ...] = ()
    """Strengths to find instead: some of weight-decay, l1, dropout, activity. All others are off.
    Trials on parts of the training samples decide; the validation samples report."""

    trials: int | None = None
    """Sets of strengths that --search tries; by default 20."""

    epochs: int | None = None
    """Passes over the training data; by default as many as make 1500 updates."""

    batch_size: int = 32
    """Samples in an update."""

    learning_rate: float = 0.05
    """Learning rate of SGD with momentum 0.9: rises over a tenth of the updates, then falls as a
    cosine."""

    train: int | None = None
    """Samples to train on, drawn for each seed; by default all that are not for validation."""

    validation: float | Path = 0.3
    """Fraction of the samples kept for validation, the same for all seeds; or a file of others."""

    validation_labels: Path | None = None
    """File with the classes of a --validation file, where --labels has those of --data."""

    test: Path | None = None
    """File of further samples, measured beside validation, on which nothing is chosen."""

    test_labels: Path | None = None
    """File with the classes of --test, where --labels has those of --data."""

    group: str | None = None
    """Column of a table whose rows of one value, such as a patient, are all in one part. It is no
    feature."""

    time: str | None = None
    """Column of a table with the time of each row; the last part validates. It is no feature."""

    seeds: int = 5
    """Number of seeds of each method, for initial weights and the order of samples."""

    seed: int = 0
    """The first seed; it also determines the validation samples."""

    runs: Path = Path("runs")
    """Folder in which the folder of this run is made."""

    resume: Path | None = None
    """Folder of an interrupted run to go on with; it knows its settings."""

    from_scratch: tuple[str, ...] = ()
    """Networks of the run to --resume that are trained anew, by the names of their files."""

    def check(self) -> None:
        """Raise a `RegularizersError` unless every setting is valid."""
        for name in ("weight_decay", "l1", "activity"):
            check_strength(getattr(self, name), name.replace("_", "-"))
        check("dropout", 0 <= self.dropout < 1, "0 or more, and less than 1", self.dropout)
        check_counts(units=self.units, epochs=self.epochs, seeds=self.seeds)
        # batch normalization needs at least two samples
        check("batch-size", self.batch_size >= 2, "2 or more", self.batch_size)
        check("train", self.train is None or self.train >= 2, "2 or more", self.train)
        check("seed", self.seed >= 0, "0 or more", self.seed)
        self.check_table()
        check_split(self.validation, self.group, self.time)
        check_rate("learning-rate", self.learning_rate)
        self._check_data()
        self._check_methods()

    def _check_methods(self) -> None:
        for name in self.together:
            check("together", name in TOGETHER, f"some of {', '.join(TOGETHER)}", repr(name))
        check_search(self.search, self.trials, STRENGTHS, self)
        if self.search and self.together != TOGETHER:
            raise ConfigurationError(
                "together: expected no methods to combine beside --search, which combines what it "
                f"searches, got {', '.join(self.together)}; leave it out"
            )

    def _check_data(self) -> None:
        if self.data is None and (self.target is not None or self.labels is not None):
            given = "target" if self.target is not None else "labels"
            raise ConfigurationError(f"{given}: expected --data FILE with it, got none")
        if self.target is not None and self.labels is not None:
            raise ConfigurationError(
                "data: expected --target COLUMN of a table or --labels FILE with it, got both"
            )

        for name, file in (("validation", self.validation), ("test", self.test)):
            labels = getattr(self, f"{name}_labels")
            if labels is not None and not isinstance(file, Path):
                raise ConfigurationError(
                    f"{name}-labels: expected a file for --{name} with it, got none"
                )
        for option, column in (("group", self.group), ("time", self.time)):
            if column is not None and self.data is None:
                raise ConfigurationError(f"{option}: expected --data FILE with it, got none")
            other = column is None or column != self.target
            check(option, other, "another column than the target", column)
        if self.test is not None and self.data is None:
            raise ConfigurationError("test: expected --data FILE with it, got none")
        if isinstance(self.validation, Path) and self.data is None:
            raise ConfigurationError(
                f"validation: expected a fraction, or --data FILE with a file, got the file "
                f"{self.validation} alone"
            )

    def epochs_for(self, samples: int) -> int:
        """Return the passes over `samples` training samples."""
        return self.epochs or epochs_for(STEPS, samples, self.batch_size)

    def all_seeds(self) -> range:
        """Return the seeds that each method is trained from."""
        return range(self.seed, self.seed + self.seeds)
