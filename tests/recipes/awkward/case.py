"""A file and the truth about it."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

ROWS = 60
RNG = np.random.default_rng(0)
X = RNG.normal(size=(ROWS, 4)).round(4)
LABELS = ["a" if row[0] > 0 else "b" for row in X]
CELLS = [[f"{value:.4f}" for value in row] for row in X.tolist()]
NAMES = ["p", "q", "r", "s"]


@dataclass(frozen=True)
class Case:
    """A file and the truth about it.

    Args:
        name: what is awkward.
        file: the name of the file.
        content: its bytes or text, or a function that writes it to a path.
        x: the true samples; None if the file must be refused.
        y: the true class of each sample, where there are classes.
        error: what the message must match, if the file must be refused.
        target: the column of the classes.
        labels: the same as `content`, of a file with the classes, and its name.
        options: what `TableOptions` takes.
        notes: what a printed line must match.
        picture: the true shape of a sample that is a picture.
        largest: the true value that maps to 1.
        has_y: whether classes are asked for without a target or a file of labels.
    """

    name: str
    file: str
    content: str | bytes | Callable[[Path], Any]
    x: Any = None
    y: Sequence[str] | None = None
    error: str | None = None
    target: str | None = None
    labels: tuple[str, Any] | None = None
    options: dict[str, Any] = field(default_factory=dict)
    notes: str | None = None
    picture: tuple[int, ...] | None = None
    largest: float | None = None
    has_y: bool = False

    def write(self, folder: Path) -> tuple[Path, Path | None]:
        """Write the files into a folder; return the path of the samples and of the labels."""
        labels = None if self.labels is None else put(folder, *self.labels)
        return put(folder, self.file, self.content), labels


def put(folder: Path, name: str, content: str | bytes | Callable[[Path], Any]) -> Path:
    """Write a file."""
    path = folder / name
    if callable(content):
        content(path)
    else:
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def table(
    header: str | None = "p,q,r,s,cls",
    cells: Sequence[Sequence[str]] | None = None,
    labels: Sequence[str] | None = LABELS,
    *,
    sep: str = ",",
    end: str = "\n",
) -> str:
    """Return a table as text; `header` is written with commas."""
    rows = [[*row] for row in (CELLS if cells is None else cells)]
    if labels is not None:
        rows = [[*row, label] for row, label in zip(rows, labels, strict=True)]
    lines = [] if header is None else [header.replace(",", sep)]
    return end.join([*lines, *(sep.join(row) for row in rows)]) + end


def first_column(cells: Sequence[str] | str) -> list[list[str]]:
    """Return the table with its first column replaced."""
    new = [cells] * ROWS if isinstance(cells, str) else cells
    return [[cell, *row[1:]] for cell, row in zip(new, CELLS, strict=True)]


def gz(content: str | bytes) -> bytes:
    """Return content compressed by gzip, the same bytes at any time."""
    return gzip.compress(content.encode() if isinstance(content, str) else content, mtime=0)
