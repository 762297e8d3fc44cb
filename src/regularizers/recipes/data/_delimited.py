"""Reads the columns of a delimited text file, block by block."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from regularizers.errors import DataError
from regularizers.recipes.data._cells import EXACT, check_structure, fault
from regularizers.recipes.data._columns import Kind, is_numeric, is_text
from regularizers.recipes.data._header import TRUTH
from regularizers.recipes.data._layout import Layout, records
from regularizers.recipes.data._values import Numbers, Texts, Values

if TYPE_CHECKING:
    from pandas import DataFrame

CELLS_AT_ONCE = 1 << 20


@dataclass(frozen=True)
class Delimited:
    """A delimited text file: a `Source`.

    Args:
        layout: where its cells are.
    """

    layout: Layout

    @property
    def path(self) -> Path:
        return self.layout.text.path

    @property
    def names(self) -> tuple[str, ...] | None:
        return self.layout.names

    @property
    def width(self) -> int:
        return self.layout.width

    @property
    def notes(self) -> tuple[str, ...]:
        return self.layout.notes

    def kind_of(self, index: int) -> Kind:
        cells = [row[index].lower() for row in self.layout.beginning if index < len(row)]
        if not any(cells):
            return "empty"
        return "boolean" if next(filter(None, cells)) in TRUTH else "number"

    def read(self, kinds: Mapping[int, Kind]) -> Values:
        return _read(self.layout, kinds)

    def row(self, number: int) -> str:
        lines = records(self.layout.text, self.layout.separator, self.layout.skip)
        line, _ = next(itertools.islice(lines, number, None))
        return f"line {line}"


def _read(layout: Layout, kinds: Mapping[int, Kind]) -> Values:
    """Read columns of a table in memory of the result and a block.

    Args:
        layout: the table.
        kinds: the columns to read, by their places, in the order of the numbers.

    Raises:
        DataError: a cell is not of its kind, or a line has another width.
    """
    if layout.text.quoted or layout.width == 1:
        # pandas takes a stray quote for the beginning of a cell, and passes over empty lines
        check_structure(layout)
    places = [index for index, kind in kinds.items() if is_numeric(kind)]
    numbers = Numbers(layout.text.line_ends + 1, len(places))
    texts = {index: Texts() for index, kind in kinds.items() if is_text(kind)}
    empty = [index for index, kind in kinds.items() if kind == "empty"]
    doubtful, last = False, layout.width - 1
    try:
        for block in _blocks(layout, kinds):
            part = np.empty((len(block), len(places)))
            for column, index in enumerate(places):
                part[:, column] = _numbers(block[index], kinds[index])
            for index, column_texts in texts.items():
                column_texts.add(block[index])
            for index in empty:
                doubtful = doubtful or bool((block[index] != "").any())
            if not np.isfinite(part).all():
                raise ValueError("a number is not finite")
            doubtful = doubtful or bool((np.abs(part) >= EXACT).any())
            if last not in kinds:
                # pandas fills a line that is too short
                doubtful = doubtful or bool((block[last] == "").any())
            numbers.add(part)
    except (ValueError, OverflowError, pd.errors.ParserError, pd.errors.ParserWarning) as error:
        raise fault(layout, kinds) or DataError(f"{layout.text.path}: {error}") from None
    doubtful = doubtful or any(column.is_doubtful for column in texts.values())
    if doubtful and (found := fault(layout, kinds)) is not None:
        raise found
    return Values(numbers.all(), texts)


def _blocks(layout: Layout, kinds: Mapping[int, Kind]) -> Iterator[DataFrame]:
    """Yield the rows of a table block by block, texts as they are written.

    Raises:
        ValueError: a cell of a column of numbers is none.
        ParserError: a line is longer than the first.
    """
    types = {i: "float64" if kinds.get(i) == "number" else "str" for i in range(layout.width)}
    with warnings.catch_warnings(), layout.text.lines() as file:
        # cells beyond the last name are left out with a mere warning
        warnings.simplefilter("error", pd.errors.ParserWarning)
        for _ in range(layout.skip):
            file.readline()
        with pd.read_csv(
            file,
            sep=layout.separator,
            decimal=layout.decimal,
            header=None,
            names=list(range(layout.width)),
            index_col=False,
            dtype=types,
            na_filter=False,
            skipinitialspace=True,
            low_memory=False,
            chunksize=max(CELLS_AT_ONCE // layout.width, 1),
            **_EXACTLY,
        ) as reader:
            yield from reader


# from 3.1 on pandas rounds numbers exactly and warns of the option
_EXACTLY: dict[str, Any] = (
    {}
    if tuple(map(int, pd.__version__.split(".")[:2])) >= (3, 1)
    else {"float_precision": "round_trip"}
)


def _numbers(column: Any, kind: Kind) -> NDArray[np.float64]:
    if kind == "number":
        numbers: NDArray[np.float64] = column.to_numpy()
        return numbers
    words: NDArray[np.float64] = column.str.strip().str.lower().map(TRUTH).to_numpy(np.float64)
    return words
