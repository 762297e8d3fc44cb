"""The data of a run: labelled samples, what else validates or tests, and how rows are split."""

from __future__ import annotations

import dataclasses
import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from regularizers.errors import ConfigurationError
from regularizers.recipes.classifier._config import Config
from regularizers.recipes.data import (
    Aside,
    Floats,
    Labelled,
    load_labelled,
    load_labelled_digits,
    read_aside,
    read_further,
)


@dataclass(frozen=True)
class Held:
    """Samples that no network learns from, (samples, features), not yet scaled."""

    x: Floats
    y: NDArray[np.int64]


@dataclass(frozen=True)
class Data:
    """What a run is told of.

    Args:
        labelled: the samples to train on, and if `validation` is None to validate.
        validation: those of a file of their own.
        test: those on which nothing is chosen.
        group: the column whose rows of one value stay together.
        time: the column by which the last rows validate.
    """

    labelled: Labelled
    validation: Held | None = None
    test: Held | None = None
    group: Aside | None = None
    time: Aside | None = None

    @property
    def digest(self) -> str:
        """A fingerprint of all of it, compared when a run is resumed."""
        found = hashlib.sha256(self.labelled.digest.encode())
        for held in (self.validation, self.test):
            if held is not None:
                found.update(np.ascontiguousarray(held.x).tobytes() + held.y.tobytes())
        for column in (self.group, self.time):
            if column is not None:
                found.update(repr(column.cells).encode())
        return found.hexdigest()[:16]


def load(config: Config) -> Data:
    """Return the data that a run is told of.

    Raises:
        RegularizersError: a file is missing or is no such data, or settings cannot hold together.
    """
    if config.data is None:
        return Data(load_labelled_digits())
    group = _aside(config.data, "group", config.group, config)
    time = _aside(config.data, "time", config.time, config)
    beside = [column.name for column in (group, time) if column is not None]
    options = dataclasses.replace(config, drop=(*config.drop, *beside))
    labelled = load_labelled(config.data, config.target, config.labels, options)
    labelled, test = _apart(labelled)
    if config.test is not None and test is not None:
        raise ConfigurationError(
            f"test: expected no file, since {labelled.samples.name} has a part for testing, got "
            f"{config.test}"
        )

    def further(name: str, path: Path, labels: Path | None) -> Held:
        found = read_further(labelled.samples.schema, path, labelled.classes, labels, options)
        if found.y is None:
            cure = f"--{name}-labels FILE" if config.target is None else "its column"
            raise ConfigurationError(
                f"{name}: expected the classes of the samples in {path}, got none; add {cure}"
            )
        return Held(found.x, found.y)

    return Data(
        labelled,
        validation=(
            further("validation", config.validation, config.validation_labels)
            if isinstance(config.validation, Path)
            else None
        ),
        test=test if config.test is None else further("test", config.test, config.test_labels),
        group=group,
        time=time,
    )


def _aside(path: Path, option: str, column: str | None, config: Config) -> Aside | None:
    """Return the column that an option names."""
    if column is None:
        return None
    return read_aside(path, column, option, config.target, config)


def _apart(labelled: Labelled) -> tuple[Labelled, Held | None]:
    """Return the samples without those that their file sets apart for testing, and these."""
    samples, y, count = labelled.samples, labelled.y, labelled.samples.test
    if not count:
        return labelled, None
    rest = dataclasses.replace(samples, x=samples.x[:-count], test=0)
    held = Held(samples.x[-count:], y[-count:])
    return dataclasses.replace(labelled, samples=rest, y=y[:-count]), held
