"""How a table is read, where its file does not say."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated

from tyro.conf import FlagCreatePairsOff

from regularizers.errors import ConfigurationError

Flag = Annotated[bool, FlagCreatePairsOff]

_NAMED = {"comma": ",", "tab": "\t", "\\t": "\t", "semicolon": ";", "space": " ", "pipe": "|"}


@dataclass(frozen=True)
class TableOptions:
    """What a file of data leaves open; the settings of a recipe derive from it."""

    data: Path | None = None
    """A file or a folder of samples."""

    header: Flag = False
    """The first line of the table holds names, also where it could be a sample."""

    no_header: Flag = False
    """The first line of the table is a sample, also where it could be names."""

    separator: str | None = None
    """What separates the cells of a table: a character, or comma, tab, semicolon, space, pipe."""

    decimal: str = "."
    """What separates the decimals of a number in a table."""

    columns: tuple[str, ...] = ()
    """Columns of the table to use, by name, or by number where there are no names; by default
    all."""

    drop: tuple[str, ...] = ()
    """Columns of the table to leave out."""

    categorical: tuple[str, ...] = ()
    """Columns of the table that are categories: each becomes one column of 0 and 1 for each
    category."""

    picture: tuple[int, int] | None = None
    """Height and width of the picture that each row of a table holds; a table by itself holds
    none."""

    @property
    def names_first(self) -> bool | None:
        """Whether the first line holds names; None if the file must show it."""
        return self.header if self.header or self.no_header else None

    @property
    def separated_by(self) -> str | None:
        """The separator as a character; None if the file must show it."""
        return None if self.separator is None else _NAMED.get(self.separator, self.separator)

    def check_table(self) -> None:
        """Raise a `ConfigurationError` unless these options can hold together."""
        # a recipe's own settings are beside these in the same class
        given = [f.name for f in fields(TableOptions) if getattr(self, f.name) != f.default]
        if self.data is None and given:
            option = given[0].replace("_", "-")
            raise ConfigurationError(f"{option}: expected --data FILE with it, got none")
        if self.header and self.no_header:
            raise ConfigurationError("header: expected --header or --no-header, got both")
        character = self.separated_by
        if character is not None and (len(character) != 1 or character in '"\n\r' + self.decimal):
            raise ConfigurationError(
                f"separator: expected one character that is no quote and not --decimal "
                f"{self.decimal}, or {', '.join(_NAMED)}, got {self.separator!r}"
            )
        if self.decimal not in (".", ","):
            raise ConfigurationError(f"decimal: expected . or , got {self.decimal!r}")
        if both := [name for name in self.columns if name in self.drop]:
            raise ConfigurationError(
                f"drop: expected none of --columns, got {', '.join(map(repr, both))} in both"
            )
        if self.picture is not None and min(self.picture) < 1:
            raise ConfigurationError(
                f"picture: expected a height and a width of 1 or more, got "
                f"{self.picture[0]} {self.picture[1]}"
            )
