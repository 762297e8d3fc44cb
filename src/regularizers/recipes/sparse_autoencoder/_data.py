"""The samples of a run: those to train on, and those that no network sees."""

from __future__ import annotations

import dataclasses
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from regularizers.errors import ConfigurationError
from regularizers.recipes._scaling import Scaling, left_out, scaling_of
from regularizers.recipes._settings import check
from regularizers.recipes._split import Rows, moments, split_by_group, split_by_time
from regularizers.recipes.data import (
    Samples,
    Schema,
    load_labelled_digits,
    load_samples,
    read_aside,
)
from regularizers.recipes.sparse_autoencoder._config import Config
from regularizers.recipes.sparse_autoencoder._outlier import far_from_all
from regularizers.recipes.sparse_autoencoder._stores import (
    MOST,
    OneSite,
    is_store,
    rows_of,
    site_of,
)
from regularizers.sae import StoredActivations


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
    """The shape of a sample that is a picture; None if it is none."""
    classes: tuple[Tensor, Tensor] | None
    """The classes of training and validation samples, where they are known."""
    rows: tuple[int, ...] | None = None
    """The number of each validation sample in the data, from 1; None: they are the last."""
    columns: tuple[str, ...] | None = None
    """The name of each feature of a table; None for others."""
    scaling: Scaling | None = None
    """What made these samples of those in the file; None: they are as they are."""
    schema: Schema | None = None
    """The columns or the picture of the file; None for a folder of activations."""
    site: str | None = None
    """The site of a folder of activations that has several."""
    notes: tuple[str, ...] = ()
    """Lines to print: what was left out."""

    def row_of(self, index: int) -> int:
        """Return the number in the data, from 1, of a validation sample."""
        return self.training_samples + index + 1 if self.rows is None else self.rows[index]

    @property
    def features(self) -> int:
        """The width of a sample."""
        return self.validation.shape[1]

    @property
    def dropped(self) -> list[str]:
        """The names of the columns that are constant in the training part, and left out."""
        if self.schema is None or self.scaling is None:
            return []
        return [self.schema.features[column] for column in self.scaling.dropped]


def load(config: Config) -> Data:
    """Return the data that a run is told of.

    Raises:
        RegularizersError: there are none, or too few to hold some out.
    """
    if config.data is not None and is_store(config.data):
        return _stored(config.data, config)
    check("site", config.site is None, "nothing, as --data is no folder", config.site)
    if config.data is not None:
        beside = [column for column in (config.group, config.time) if column is not None]
        options = dataclasses.replace(config, drop=(*config.drop, *beside))
        return _split(load_samples(config.data, options), None, config)
    labelled = load_labelled_digits()
    return _split(labelled.samples, torch.from_numpy(labelled.y), config)


def _split(samples: Samples, classes: Tensor | None, config: Config) -> Data:
    notes = samples.notes
    if samples.test:
        notes += (f"the {samples.test} samples that the file sets apart for testing are not used",)
        samples = dataclasses.replace(samples, x=samples.x[: -samples.test], test=0)
    seen, unseen = _rows_of(samples, config)
    _check_left(len(seen), len(samples.x), config)
    scaling = scaling_of(samples, samples.x[seen], config.scale, table="minmax")
    digest, held_out = samples.digest, samples.x[unseen]
    if isinstance(config.validation, Path):
        held_out, classes = samples.schema.rows_of(config.validation, config), None
        digest = hashlib.sha256(digest.encode() + held_out.tobytes()).hexdigest()[:16]
    data = Data(
        name=samples.name,
        digest=digest,
        training=scaling.of_rows(samples.x[seen]),
        training_samples=len(seen),
        validation=scaling.of_rows(held_out),
        picture=samples.picture,
        classes=None if classes is None else (classes[seen], classes[unseen]),
        rows=tuple((unseen + 1).tolist()) if len(unseen) else tuple(range(1, len(held_out) + 1)),
        columns=(
            tuple(samples.features[column] for column in scaling.kept.tolist())
            if samples.picture is None
            else None
        ),
        scaling=scaling,
        schema=samples.schema,
        notes=notes,
    )
    far = far_from_all(data.training, seen)
    return dataclasses.replace(data, notes=(*notes, *left_out(data.dropped), *far))


def _rows_of(samples: Samples, config: Config) -> tuple[Rows, Rows]:
    """Return the rows to train on, and those that validate."""
    count = len(samples.x)
    if isinstance(config.validation, Path):
        return np.arange(count), np.arange(0)
    if config.data is not None and config.group is not None:
        column = read_aside(config.data, config.group, "group", None, config)
        return split_by_group(column.cells, config.validation, config.seed)
    if config.data is not None and config.time is not None:
        column = read_aside(config.data, config.time, "time", None, config)
        return split_by_time(moments(column), config.validation)
    order = np.random.default_rng(config.seed).permutation(count)
    held_out = max(round(count * config.validation), 1)
    return order[held_out:], order[:held_out]


def _check_left(training: int, samples: int, config: Config) -> None:
    if training < config.batch_size and isinstance(config.validation, Path):
        raise ConfigurationError(
            f"batch-size: expected at most the {samples} samples for training, got "
            f"{config.batch_size}"
        )
    if training < config.batch_size:
        raise ConfigurationError(
            f"validation: expected to leave a batch of {config.batch_size} samples for training, "
            f"got {config.validation} of {samples}"
        )


def _stored(folder: Path, config: Config) -> Data:
    """Return the rows of a folder, of which the last are held out, or those of another folder."""
    for option in ("group", "time", "scale"):
        value = getattr(config, option)
        check(option, value in (None, "none"), "none for a folder of activations", value)
    rows = StoredActivations(folder, verify=False).rows
    if isinstance(config.validation, Path):
        held_out = 0
    else:
        held_out = min(max(round(rows * config.validation), 1), MOST)
    _check_left(rows - held_out, rows, config)

    def read(source: Path, first: int, end: int, **options: Any) -> StoredActivations:
        return StoredActivations(
            source, batch_size=config.batch_size, part=(first, end), seed=config.seed, **options
        )

    training = read(folder, 0, rows - held_out, workers=1)
    site = site_of(training, config.site)
    if isinstance(config.validation, Path):
        most = min(StoredActivations(config.validation, verify=False).rows, MOST)
        last = read(config.validation, 0, most, shuffle=False)
        site_of(last, site)
    else:
        last = read(folder, rows - held_out, rows, shuffle=False)
    validation = torch.cat([rows_of(batch, site) for batch in last]).float()
    return Data(
        name=folder.name if site is None else f"{folder.name}, {site}",
        digest="-".join(dict.fromkeys(_digest(stored) for stored in (training, last))),
        training=training if site is None else OneSite(training, site),
        training_samples=rows - held_out,
        validation=validation,
        picture=None,
        classes=None,
        scaling=Scaling(torch.zeros(validation.shape[1]), torch.ones(validation.shape[1])),
        site=site,
        rows=tuple(range(1, len(validation) + 1)) if not held_out else None,
    )


def _digest(stored: StoredActivations) -> str:
    """Return the fingerprint of a folder of activations."""
    digest: str = stored.state_dict()["settings"]["store"][:16]
    return digest
