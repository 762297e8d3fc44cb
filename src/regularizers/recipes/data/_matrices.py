"""Arrays of two dimensions as tables without names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from regularizers.errors import DataError
from regularizers.recipes.data._columns import Kind, is_numeric, is_text
from regularizers.recipes.data._frames import text_of
from regularizers.recipes.data._numbers import check_real, in_rows
from regularizers.recipes.data._values import Texts, Values


@dataclass(frozen=True)
class Matrix:
    """An array of two dimensions: a `Source` without names.

    Args:
        path: the file.
        array: (samples, columns).
    """

    path: Path
    array: NDArray[Any]
    names: None = None
    notes: tuple[str, ...] = ()

    @property
    def width(self) -> int:
        return int(self.array.shape[1])

    def kind_of(self, index: int) -> Kind:
        return "number"

    def read(self, kinds: Mapping[int, Kind]) -> Values:
        check_real(self.path, self.array)
        places = [index for index, kind in kinds.items() if is_numeric(kind)]
        texts = {index: self._texts(index) for index, kind in kinds.items() if is_text(kind)}
        exact = np.can_cast(self.array.dtype, np.float32)
        chosen = self.array if places == [*range(self.width)] else self.array[:, places]
        return Values(in_rows(self.path, chosen, np.float32 if exact else np.float64), texts)

    def row(self, number: int) -> str:
        return f"row {number + 1}"

    def _texts(self, index: int) -> Texts:
        texts = Texts()
        texts.add(np.array([text_of(cell) for cell in self.array[:, index].tolist()], object))
        return texts


def matrix(path: Path, array: NDArray[Any]) -> Matrix:
    """Return an array as a table.

    Raises:
        DataError: it does not have two dimensions, or has no cells.
    """
    if array.ndim != 2:
        raise DataError(
            f"{path}: expected pictures (samples, height, width) or a table (samples, columns), "
            f"got shape {array.shape}"
        )
    if not array.size:
        raise DataError(f"{path}: expected samples, got none, in shape {array.shape}")
    return Matrix(path, array)
