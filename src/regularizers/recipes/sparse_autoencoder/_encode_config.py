"""The settings of `regularizers sparse-autoencoder encode`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import tyro

from regularizers.recipes.data import TableOptions


@dataclass(frozen=True)
class Encode:
    """Write the codes of samples by a network of a run.

    It prints how many units are active in a sample, and how much of the variance the
    reconstructions explain.
    """

    folder: tyro.conf.Positional[Path]
    """The folder of a run of `regularizers sparse-autoencoder`."""

    data: Path
    """Samples in the format of those of the run, or a folder of activations. Columns are found by
    name, in any order."""

    network: str | None = None
    """The network: its architecture, or l1 or kl. By default the one that the run is about."""

    drop: tuple[str, ...] = ()
    """Columns of the new table to pass over, which the training did not have."""

    separator: str | None = None
    """What separates the cells of the new table, if it is not as in the training."""

    decimal: str = "."
    """What separates the decimals of its numbers, if it is not as in the training."""

    out: Path | None = None
    """The file to write: .npz with an array called codes, .npy, or .csv with a column for each
    unit. By default an .npz that is named for the data, in the folder of the run."""

    @property
    def table(self) -> TableOptions:
        """How a table is read."""
        return TableOptions(drop=self.drop, separator=self.separator, decimal=self.decimal)
