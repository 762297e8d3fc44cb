"""The settings of `regularizers classifier predict`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import tyro

from regularizers.recipes.data import TableOptions


@dataclass(frozen=True)
class Predict:
    """Classify new samples with a network of a run.

    It writes a CSV with the class of each sample and the probability of every class. Where the
    data have the classes, too, the share that is right is printed.
    """

    folder: tyro.conf.Positional[Path]
    """The folder of a run of `regularizers classifier`."""

    data: Path
    """New samples, in the format of those of the run. Columns are found by name, in any order."""

    labels: Path | None = None
    """File with the class of each sample, where it is not a column of the data."""

    network: str | None = None
    """The network, as its file is called, such as all-together-0. By default the method that is
    best on validation samples, from the first seed."""

    drop: tuple[str, ...] = ()
    """Columns of the new table to pass over, which the training did not have."""

    separator: str | None = None
    """What separates the cells of the new table, if it is not as in the training."""

    decimal: str = "."
    """What separates the decimals of its numbers, if it is not as in the training."""

    out: Path | None = None
    """The CSV to write; by default it is named for the data, in the folder of the run."""

    @property
    def table(self) -> TableOptions:
        """How a table is read."""
        return TableOptions(drop=self.drop, separator=self.separator, decimal=self.decimal)
