"""What a recipe gets from a file: samples in rows, and the class of each."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from regularizers.recipes.data._schema import Schema

Floats: TypeAlias = NDArray[np.float64] | NDArray[np.float32]
"""Rows of a table are float64; pixels are float32, which holds every byte exactly."""


@dataclass(frozen=True)
class Samples:
    """Samples in rows, and what is known of their columns.

    Args:
        name: what tables and pictures call the data.
        x: of shape (samples, features); not yet scaled.
        schema: the columns or the picture, which also reads further files of the same kind.
        test: how many of the last rows the file itself sets apart for testing.
        notes: lines to print: what was left out or turned while the file was read.
    """

    name: str
    x: Floats
    schema: Schema
    test: int = 0
    notes: tuple[str, ...] = field(default=())

    @property
    def picture(self) -> tuple[int, ...] | None:
        """The shape of a sample that is a picture: (height, width), or (3, height, width)."""
        return self.schema.picture

    @property
    def largest(self) -> float | None:
        """The value that maps to 1, if the format defines it; else columns are scaled by data."""
        return self.schema.largest

    @property
    def features(self) -> tuple[str, ...]:
        """The name of each column of `x`."""
        return self.schema.features

    @property
    def digest(self) -> str:
        """A fingerprint of the samples, compared when a run is resumed."""
        x = np.ascontiguousarray(self.x)
        return hashlib.sha256(x.data.cast("B")).hexdigest()[:16]


@dataclass(frozen=True)
class Labelled:
    """Samples, and the class of each as an index into the names of the classes."""

    samples: Samples
    y: NDArray[np.int64]
    classes: tuple[str, ...]

    @property
    def digest(self) -> str:
        """A fingerprint of samples and labels, compared when a run is resumed."""
        both = self.samples.digest.encode() + self.y.tobytes() + repr(self.classes).encode()
        return hashlib.sha256(both).hexdigest()[:16]
