"""What is read of a table, whatever its format: numbers, and texts as places among few."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from regularizers.recipes.data._columns import Kind

Floats: TypeAlias = NDArray[np.float64] | NDArray[np.float32]
"""Rows of numbers, or of pixels: float32 where it holds each of them exactly."""


@dataclass
class Texts:
    """A column of texts, each kept once, in the order of their first occurrence.

    Args:
        known: the place of each text.
        blocks: the places of the texts of the rows.
    """

    known: dict[str, int] = field(default_factory=dict)
    blocks: list[NDArray[np.int32]] = field(default_factory=list)

    def add(self, texts: Any) -> None:
        """Append rows, without the spaces around their texts."""
        codes, found = pd.factorize(texts)
        places = [self.known.setdefault(str(text).strip(), len(self.known)) for text in found]
        self.blocks.append(np.array(places, np.int32)[codes])

    @property
    def places(self) -> NDArray[np.int32]:
        """The places of the texts of all rows."""
        return np.concatenate(self.blocks)

    @property
    def is_doubtful(self) -> bool:
        """Whether a text is empty or has a line break in it."""
        return any(not text or "\n" in text or "\r" in text for text in self.known)


class Numbers:
    """Rows of numbers that come in blocks: float32 while it holds each exactly, else float64.

    Args:
        most: the largest number of rows.
        columns: the number of columns.
    """

    def __init__(self, most: int, columns: int) -> None:
        # memory that is not written to takes no room
        self._rows: Floats = np.empty((most, columns), np.float32)
        self._count = 0

    def add(self, block: NDArray[np.float64]) -> None:
        """Append rows."""
        end = self._count + len(block)
        if self._rows.dtype == np.float32 and not is_exact(block):
            rows = np.empty(self._rows.shape)
            rows[: self._count] = self._rows[: self._count]
            self._rows = rows
        self._rows[self._count : end] = block
        self._count = end

    def all(self) -> Floats:
        """Return the rows."""
        return self._rows[: self._count]


def is_exact(numbers: NDArray[np.float64]) -> bool:
    """Return whether float32 holds each number exactly."""
    with np.errstate(over="ignore"):
        return bool((numbers.astype(np.float32) == numbers).all())


@dataclass(frozen=True)
class Values:
    """The cells of a table.

    Args:
        numbers: (samples, columns), those of the columns of numbers and of true and false.
        texts: the columns of categories, by their places in the file.
    """

    numbers: Floats
    texts: dict[int, Texts]


class Source(Protocol):
    """A file that is a table, before its cells are read."""

    @property
    def path(self) -> Path:
        """The file."""

    @property
    def names(self) -> tuple[str, ...] | None:
        """The names of the columns, None if the file has none."""

    @property
    def width(self) -> int:
        """The number of columns."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What was passed over."""

    def kind_of(self, index: int) -> Kind:
        """Return what a column looks like from its first cells."""

    def read(self, kinds: Mapping[int, Kind]) -> Values:
        """Read columns, the numbers in the order of `kinds`.

        Raises:
            DataError: a cell is not of the kind of its column.
        """

    def row(self, number: int) -> str:
        """Return how messages call a row, counted from 0."""
