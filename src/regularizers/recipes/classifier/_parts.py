"""The parts of the data: to train on, to validate, to test; scaled by what training shows."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from regularizers.errors import ConfigurationError
from regularizers.recipes._scaling import Scaling, scaling_of
from regularizers.recipes._split import Rows, moments, split_by_group, split_by_time
from regularizers.recipes.classifier._config import Config
from regularizers.recipes.classifier._data import Data
from regularizers.recipes.classifier._networks import Arguments
from regularizers.recipes.data import Floats, Samples


@dataclass(frozen=True)
class Part:
    """Samples as they enter the network, of shape (samples, features), and their classes."""

    x: Tensor
    y: Tensor


@dataclass(frozen=True)
class Parts:
    """What one network is trained and measured on.

    Args:
        training: what it learns from.
        validation: what it is compared on.
        scaling: the module that made all parts of samples; it stands before the network.
        samples: where they are from.
        classes: the names of the classes.
        test: what no choice depends on; None without it.
    """

    training: Part
    validation: Part
    scaling: Scaling
    samples: Samples
    classes: tuple[str, ...]
    test: Part | None = None

    @property
    def dropped(self) -> list[str]:
        """The names of the columns that are constant in the training part, and left out."""
        return [self.samples.features[column] for column in self.scaling.dropped]

    def arguments(self, config: Config) -> Arguments:
        """Return what builds a network of these samples, without regularization."""
        return Arguments(
            kind=config.network,
            features=len(self.scaling.kept),
            classes=len(self.classes),
            units=config.units,
            picture=self.samples.picture,
        )


def parts(data: Data, config: Config, seed: int) -> Parts:
    """Return the parts for a seed.

    Validation is the same for all seeds; with `train`, each draws its own samples from the rest.

    Raises:
        ConfigurationError: there are not as many samples, or no samples of a class.
    """
    labelled = data.labelled
    training, validation = _rows(data, config)
    wanted = len(training) if config.train is None else config.train
    least = len(labelled.classes)
    if not least <= wanted <= len(training):
        raise ConfigurationError(
            f"train: expected {least} samples or more, one for each class, and at most the "
            f"{len(training)} that --validation {config.validation} leaves of {len(labelled.y)}, "
            f"got {wanted}"
        )
    training = training[stratified_order(labelled.y[training], seed)[:wanted]]
    _check_classes(labelled.y[training], labelled.classes)
    scaling = scaling_of(
        labelled.samples, labelled.samples.x[training], config.scale, table="standard"
    )

    def part(x: Floats, y: NDArray[np.int64]) -> Part:
        return Part(scaling.of_rows(x), torch.from_numpy(y))

    return Parts(
        training=part(labelled.samples.x[training], labelled.y[training]),
        validation=(
            part(labelled.samples.x[validation], labelled.y[validation])
            if data.validation is None
            else part(data.validation.x, data.validation.y)
        ),
        scaling=scaling,
        samples=labelled.samples,
        classes=labelled.classes,
        test=None if data.test is None else part(data.test.x, data.test.y),
    )


def training_alone(data: Data, config: Config) -> Data:
    """Return the data without the samples that validate or test, which a search may not see."""
    rows, _ = _rows(data, config)
    labelled = data.labelled
    samples = dataclasses.replace(labelled.samples, x=labelled.samples.x[rows])
    return Data(
        dataclasses.replace(labelled, samples=samples, y=labelled.y[rows]),
        group=None if data.group is None else data.group.some(rows),
        time=None if data.time is None else data.time.some(rows),
    )


def stratified_order(y: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """Return an order in which every prefix has the class proportions of the whole."""
    generator = np.random.default_rng(seed)
    place = np.empty(len(y))
    for label in np.unique(y):
        members = generator.permutation(np.flatnonzero(y == label))
        place[members] = (np.arange(len(members)) + generator.random()) / len(members)
    return np.argsort(place, kind="stable")


def _rows(data: Data, config: Config) -> tuple[Rows, Rows]:
    """Return the rows to train on, before `train` draws of them, and those that validate."""
    y = data.labelled.y
    if isinstance(config.validation, Path):
        return np.arange(len(y)), np.arange(0)
    if data.group is not None:
        return split_by_group(data.group.cells, config.validation, config.seed, y)
    if data.time is not None:
        return split_by_time(moments(data.time), config.validation)
    order = stratified_order(y, config.seed)
    held_out = max(round(len(order) * config.validation), 1)
    return order[held_out:], order[:held_out]


def _check_classes(y: NDArray[np.int64], classes: tuple[str, ...]) -> None:
    lacking = sorted(set(range(len(classes))) - set(y.tolist()))
    if lacking:
        raise ConfigurationError(
            f"validation: expected samples of every class in the training part, got none of "
            f"{', '.join(repr(classes[label]) for label in lacking[:3])}; keep fewer samples for "
            f"validation, or drop the class"
        )
