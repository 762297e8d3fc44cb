"""The index of a store: what its shards hold, and how far it is written."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from regularizers.errors import DataError
from regularizers.sae.streams._files import write_whole

NAME = "index.json"
FORMAT = "regularizers activations 1"


@dataclass
class Shard:
    """A file of a store."""

    file: str
    rows: int
    sha256: str


@dataclass
class StoreIndex:
    """What `index.json` says; all of it is written again after each shard."""

    settings: dict[str, Any]
    """What the shards depend on: the digest of the model, the sites, types and masks."""
    sites: dict[str, dict[str, Any]]
    """The width and the type of the rows of each site."""
    shard_rows: int
    shards: list[Shard] = field(default_factory=list)
    position: int = 0
    """How many batches of the data are stored whole."""
    rows_of_next: int = 0
    """How many rows of the next batch are stored."""
    complete: bool = False

    @property
    def rows(self) -> int:
        """How many rows are stored."""
        return sum(shard.rows for shard in self.shards)

    @property
    def digest(self) -> str:
        """A digest of all shards together."""
        return hashlib.sha256("".join(shard.sha256 for shard in self.shards).encode()).hexdigest()

    def write(self, folder: Path) -> None:
        """Write the index, whole or not at all."""
        content = {
            "format": FORMAT,
            "complete": self.complete,
            "rows": self.rows,
            # the shape of all rows of each site
            "shapes": {name: [self.rows, site["width"]] for name, site in self.sites.items()},
            **dataclasses.asdict(self),
        }
        text = json.dumps(content, indent=2) + "\n"
        write_whole(folder / NAME, lambda draft: draft.write_text(text, encoding="utf-8"))


def read_index(folder: Path) -> StoreIndex | None:
    """Return the index of a store; None if the folder has none.

    Raises:
        DataError: it cannot be read, or is of another version.
    """
    path = folder / NAME
    if not path.is_file():
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        found = content["format"]
        if found == FORMAT:
            values = {f.name: content[f.name] for f in dataclasses.fields(StoreIndex)}
            shards = [Shard(**shard) for shard in content["shards"]]
            return StoreIndex(**values | {"shards": shards})
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{path}: expected the index of stored activations ({type(error).__name__}: {error}); "
            f"store them again in an empty folder"
        ) from None
    raise DataError(
        f"{path}: expected the format {FORMAT!r}, got {found!r}; read it with the version of "
        f"regularizers that wrote it"
    )
