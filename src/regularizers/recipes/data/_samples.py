"""What a recipe gets from a file: samples in rows, and the class of each."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from regularizers.recipes.data._schema import Schema
from regularizers.recipes.data._values import Floats

_AT_ONCE = 1 << 16
"""Rows."""


@dataclass(frozen=True)
class Samples:
    """Samples in rows, and what is known of their columns.

    Args:
        name: what tables and pictures call the data.
        x: of shape (samples, features); not yet scaled; float32 only where it holds each number
            of the file exactly.
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
        found = hashlib.sha256(str(self.x.shape).encode())
        for start in range(0, len(self.x), _AT_ONCE):
            found.update(np.ascontiguousarray(self.x[start : start + _AT_ONCE]).data)
        return found.hexdigest()[:16]


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
