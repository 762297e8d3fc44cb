"""The columns of a table, or the shape of a picture: what a further file must have as well."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from regularizers.errors import DataError
from regularizers.recipes.data._arrays import is_array, read_arrays
from regularizers.recipes.data._columns import Column, Kind, where
from regularizers.recipes.data._folders import read_folder
from regularizers.recipes.data._matrices import matrix
from regularizers.recipes.data._options import TableOptions
from regularizers.recipes.data._pixels import Pictures, pictures_of
from regularizers.recipes.data._sources import is_table, open_table
from regularizers.recipes.data._tables import features
from regularizers.recipes.data._values import Source


@dataclass(frozen=True)
class Schema:
    """What the samples of a file are: columns of a table, or pictures.

    Args:
        columns: the columns of a table that are used, in the order of the features; empty for
            pictures.
        dropped: columns that the file had and that are not used; a further file may have them.
        target: the column of the classes, if the table had one; a further file may lack it.
        names: whether the file has the names of the columns. Without names columns are found by
            their place.
        separator: the separator that was given, None if the file shows it.
        decimal: the decimal separator.
        picture: (height, width), or (3, height, width) of colours; None for a table.
        largest: the value that maps to 1, if the format defines it.
    """

    columns: tuple[Column, ...] = ()
    dropped: tuple[str, ...] = ()
    target: str | None = None
    names: bool = False
    separator: str | None = None
    decimal: str = "."
    picture: tuple[int, ...] | None = None
    largest: float | None = None

    @property
    def features(self) -> tuple[str, ...]:
        """The name of each feature: of its column, with its category after `=`, or of its pixel."""
        if not self.columns and self.picture is not None:
            return tuple(f"pixel {i + 1}" for i in range(math.prod(self.picture)))
        return tuple(name for column in self.columns for name in column.features)

    def to_json(self) -> dict[str, Any]:
        """Return plain values, from which `from_json` makes the same schema."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, kept: dict[str, Any]) -> Schema:
        """Return the schema from the values of `to_json`, also after their way through JSON."""
        columns = tuple(
            Column(c["name"], c["kind"], tuple(c["categories"])) for c in kept["columns"]
        )
        picture = None if kept["picture"] is None else tuple(kept["picture"])
        dropped = tuple(kept["dropped"])
        return cls(**{**kept, "columns": columns, "picture": picture, "dropped": dropped})

    def rows_of(self, path: Path, options: TableOptions | None = None) -> NDArray[np.float64]:
        """Read a further file of the same kind.

        Args:
            path: the file. Columns are found by name, in any order; the target may be there.
            options: how to read the table, where it is written otherwise than the first one.

        Returns:
            (samples, features), in the order of `features`, not yet scaled.

        Raises:
            DataError: a column is missing or new, a category was not there, or the pictures have
                another shape.
        """
        options = options or TableOptions()
        if path.is_dir():
            return self._pixels(path, read_folder(path).pictures)
        if is_table(path) or not is_array(path):
            return self._rows(self._opened(path, options), options.drop)
        x = read_arrays(path).x
        if x.ndim > 2:
            return self._pixels(path, pictures_of(path, x))
        if self.columns:
            return self._rows(matrix(path, x), options.drop)
        return self._pixels(path, self._reshaped(path, x))

    def _opened(self, path: Path, options: TableOptions) -> Source:
        if not self.columns:
            raise DataError(f"{path}: expected pictures, as in the training, got a table")
        return open_table(path, self.reading(options), None)

    def reading(self, options: TableOptions) -> TableOptions:
        """Return how a further table is read: as the first one, but for what `options` say."""
        return dataclasses.replace(
            options,
            header=self.names,
            no_header=not self.names,
            separator=options.separator or self.separator,
            decimal=self.decimal if options.decimal == "." else options.decimal,
        )

    def _rows(self, source: Source, drop: Sequence[str]) -> NDArray[np.float64]:
        places = self._places(source, drop)
        kinds: dict[int, Kind] = {index: places[index].kind for index in sorted(places)}
        values = source.read(kinds)
        for index, column in places.items():
            if column.kind == "category":
                _check_categories(source, index, column, values.texts[index])
        return features(values, kinds, places).astype(np.float64, copy=False)

    def _pixels(self, path: Path, pictures: Pictures) -> NDArray[np.float64]:
        """Return pictures that are as those of the training.

        Raises:
            DataError: they have another shape, or their values another range.
        """
        if self.picture is None:
            raise DataError(
                f"{path}: expected a table, as in the training, got pictures of shape "
                f"{pictures.shape}"
            )
        if pictures.shape != self.picture:
            raise DataError(
                f"{path}: expected pictures of shape {self.picture}, as in the training, got "
                f"{pictures.shape}"
            )
        if self.largest is not None and (pictures.largest or 0) > self.largest:
            raise DataError(
                f"{path}: expected pixels up to {self.largest:g}, as in the training, got some "
                f"up to {pictures.largest:g}; bring them to the same range first"
            )
        return pictures.x.astype(np.float64)

    def _reshaped(self, path: Path, x: NDArray[Any]) -> Pictures:
        """Return rows of pixels as pictures."""
        shape = self.picture
        if shape is None or x.shape[1:] != (math.prod(shape),) or len(shape) > 2:
            raise DataError(
                f"{path}: expected pictures of shape {shape}, as in the training, got rows of "
                f"shape {x.shape}"
            )
        return pictures_of(path, x.reshape(len(x), *shape))

    def _places(self, source: Source, drop: Sequence[str]) -> dict[int, Column]:
        """Return the columns by their places in a file, in the order of the features."""
        # a column without a name is called by its number
        names = source.names or numbered(self, source)
        found = [name or str(index + 1) for index, name in enumerate(names)]
        known = {*self.dropped, *drop, *(c.name for c in self.columns), self.target}
        for index, name in enumerate(found):
            if name not in known:
                raise DataError(
                    f"{source.path}: expected the columns of the training, got a new one, "
                    f"{where(source.names, index)}; leave it out with --drop"
                )
        missing = [c.name for c in self.columns if c.name not in found]
        if missing:
            raise DataError(
                f"{source.path}: expected the columns of the training, got none called "
                f"{', '.join(map(repr, missing[:3]))}"
                + (f" and {len(missing) - 3} more" if len(missing) > 3 else "")
            )
        return {found.index(column.name): column for column in self.columns}


def numbered(schema: Schema, source: Source) -> Sequence[str]:
    """Return the numbers of the columns of a file without names, which may lack the target."""
    numbers = [*schema.dropped, *(column.name for column in schema.columns)]
    every = sorted({*numbers, *([schema.target] if schema.target else [])}, key=int)
    for found in (every, sorted(numbers, key=int)):
        if len(found) == source.width:
            return found
    raise DataError(
        f"{source.path}: expected {len(every)} columns, as in the training"
        + (f", or {len(numbers)} without the target" if schema.target else "")
        + f", got {source.width}"
    )


def _check_categories(source: Source, index: int, column: Column, texts: Any) -> None:
    for text, place in texts.known.items():
        if text not in column.categories:
            row = int(np.flatnonzero(texts.places == place)[0])
            known = ", ".join(map(repr, column.categories[:5]))
            more = ", ..." if len(column.categories) > 5 else ""
            raise DataError(
                f"{source.path}, {source.row(row)}, {where(source.names, index)}: expected a "
                f"category of the training, {known}{more}, got {text!r}"
            )
