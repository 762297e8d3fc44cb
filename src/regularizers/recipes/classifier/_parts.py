"""The training and the validation part of the data, with every class in each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from regularizers.errors import ConfigurationError
from regularizers.recipes._labelled import Labelled
from regularizers.recipes._tables import Floats
from regularizers.recipes.classifier._config import Config


@dataclass(frozen=True)
class Part:
    """Samples as they enter the network, of shape (samples, features), and their classes."""

    x: Tensor
    y: Tensor


def parts(labelled: Labelled, config: Config, seed: int) -> tuple[Part, Part]:
    """Return the training and the validation part for a seed.

    Validation is the same for all seeds; with `train`, each draws its own samples from the rest.

    Raises:
        ConfigurationError: there are not as many samples.
    """
    order = stratified_order(labelled.y, config.seed)
    held_out = max(round(len(order) * config.validation), 1)
    validation, training = order[:held_out], order[held_out:]
    wanted = len(training) if config.train is None else config.train
    least = len(labelled.classes)
    if not least <= wanted <= len(training):
        raise ConfigurationError(
            f"train: expected {least} samples or more, one for each class, and at most the "
            f"{len(training)} that --validation {config.validation} leaves of {len(order)}, "
            f"got {wanted}"
        )
    training = training[stratified_order(labelled.y[training], seed)[:wanted]]
    shift, scale = _scaling(labelled.samples.x[training], labelled.samples.largest)
    x = (labelled.samples.x - shift) / scale
    return _part(x, labelled.y, training), _part(x, labelled.y, validation)


def stratified_order(y: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """Return an order in which every prefix has the class proportions of the whole."""
    generator = np.random.default_rng(seed)
    place = np.empty(len(y))
    for label in np.unique(y):
        members = generator.permutation(np.flatnonzero(y == label))
        place[members] = (np.arange(len(members)) + generator.random()) / len(members)
    return np.argsort(place, kind="stable")


def _scaling(training: Floats, largest: float | None) -> tuple[Floats, Floats]:
    """Return shift and scale that map pictures to [0, 1], and columns to mean 0 and deviation 1."""
    if largest is not None:
        return np.float32(0), np.float32(largest)  # type: ignore[return-value]
    deviation = training.std(axis=0)
    return training.mean(axis=0), np.where(deviation > 0, deviation, 1).astype(np.float32)


def _part(x: Floats, y: NDArray[np.int64], rows: NDArray[np.int64]) -> Part:
    return Part(torch.from_numpy(x[rows]), torch.from_numpy(y[rows]))
