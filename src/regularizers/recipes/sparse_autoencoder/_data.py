"""The samples of a run: those to train on, and those that no network sees."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from regularizers.errors import ConfigurationError, DataError
from regularizers.recipes._labelled import load_labelled_digits
from regularizers.recipes._settings import check
from regularizers.recipes._tables import Floats, Samples, load_samples
from regularizers.recipes.sparse_autoencoder._config import Config
from regularizers.sae import StoredActivations

MOST = 20_000
"""Rows of a folder that are held out at most."""


@dataclass(frozen=True)
class Data:
    """What a run trains on and is measured on."""

    name: str
    digest: str
    """A fingerprint, compared when a run is resumed."""
    training: Any
    """What `rz.sae.train` takes: a tensor of (samples, features), or batches of a folder."""
    training_samples: int
    validation: Tensor
    """Samples that no network has seen, (samples, features)."""
    picture: tuple[int, ...] | None
    """(height, width) of a sample, or (3, height, width); None if it is no picture."""
    classes: tuple[Tensor, Tensor] | None
    """The classes of training and validation samples, where they are known."""
    rows: tuple[int, ...] | None = None
    """The number of each validation sample in the data, from 1; None where they follow those
    of the training."""
    columns: tuple[str, ...] | None = None
    """The names of a table's columns, where it has names."""

    def row_of(self, index: int) -> int:
        """Return the number in the data, from 1, of a validation sample."""
        return self.training_samples + index + 1 if self.rows is None else self.rows[index]

    @property
    def features(self) -> int:
        """The width of a sample."""
        return self.validation.shape[1]


def load(config: Config) -> Data:
    """Return the data that a run is told of.

    Raises:
        RegularizersError: there are none, or too few to hold some out.
    """
    if config.data is not None and config.data.is_dir():
        return _stored(config.data, config)
    check("site", config.site is None, "nothing, as --data is no folder", config.site)
    if config.data is not None:
        return _split(load_samples(config.data), None, config)
    labelled = load_labelled_digits()
    return _split(labelled.samples, torch.from_numpy(labelled.y), config)


def _split(samples: Samples, classes: Tensor | None, config: Config) -> Data:
    order = np.random.default_rng(config.seed).permutation(len(samples.x))
    held_out = max(round(len(order) * config.validation), 1)
    seen, unseen = order[held_out:], order[:held_out]
    _check_left(len(seen), len(order), config)
    low, high = _range(samples.x[seen], samples.largest)
    training, validation = (
        torch.from_numpy((samples.x[rows] - low) / (high - low)) for rows in (seen, unseen)
    )
    return Data(
        name=samples.name,
        digest=samples.digest,
        training=training,
        training_samples=len(training),
        validation=validation,
        picture=samples.picture,
        classes=None if classes is None else (classes[seen], classes[unseen]),
        rows=tuple((unseen + 1).tolist()),
    )


def _range(training: Floats, largest: float | None) -> tuple[Floats, Floats]:
    """Return what is mapped to 0 and to 1."""
    if largest is not None:
        return np.float32(0), np.float32(largest)  # type: ignore[return-value]
    low, high = training.min(axis=0), training.max(axis=0)
    return low, np.where(high > low, high, low + 1).astype(np.float32)


def _check_left(training: int, samples: int, config: Config) -> None:
    if training < config.batch_size:
        raise ConfigurationError(
            f"validation: expected to leave a batch of {config.batch_size} samples for training, "
            f"got {config.validation} of {samples}"
        )


def _stored(folder: Path, config: Config) -> Data:
    """Return the rows of a folder, of which the last are held out."""
    rows = StoredActivations(folder, verify=False).rows
    held_out = min(max(round(rows * config.validation), 1), MOST)
    _check_left(rows - held_out, rows, config)

    def read(first: int, end: int, **options: Any) -> StoredActivations:
        return StoredActivations(
            folder, batch_size=config.batch_size, part=(first, end), seed=config.seed, **options
        )

    training = read(0, rows - held_out, workers=1)
    site = _site_of(training, config.site)
    last = read(rows - held_out, rows, shuffle=False)
    validation = torch.cat([_rows(batch, site) for batch in last]).float()
    return Data(
        name=folder.name if site is None else f"{folder.name}, {site}",
        digest=training.state_dict()["settings"]["store"][:16],
        training=training if site is None else OneSite(training, site),
        training_samples=rows - held_out,
        validation=validation,
        picture=None,
        classes=None,
    )


def _site_of(stored: StoredActivations, site: str | None) -> str | None:
    """Return which site to choose from each batch; None where a batch is of one."""
    sites = stored.sites
    if site not in (None, *sites) or (site is None and len(sites) > 1):
        raise DataError(f"site: expected one of {', '.join(sites)}, got {site}")
    return site if len(sites) > 1 else None


def _rows(batch: Any, site: str | None) -> Tensor:
    rows: Tensor = batch if site is None else batch[site]
    return rows


class OneSite:
    """The batches of one site of a folder that has several."""

    def __init__(self, stored: StoredActivations, site: str) -> None:
        self._stored, self._site = stored, site

    def __len__(self) -> int:
        return len(self._stored)

    def __iter__(self) -> Iterator[Tensor]:
        for batch in self._stored:
            yield _rows(batch, self._site)

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of a pass."""
        self._stored.set_epoch(epoch)

    def state_dict(self) -> dict[str, Any]:
        """Return the position."""
        return self._stored.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a position."""
        self._stored.load_state_dict(state)
