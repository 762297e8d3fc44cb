"""Rows of the matrix that were measured already, of the same source."""

import hashlib
import json
from pathlib import Path
from typing import NamedTuple

import regularizers
from matrix.judge import Outcome


class Row(NamedTuple):
    """The outcomes of one regime: by method, those of every penalty."""

    name: str
    outcomes: dict[str, list[Outcome]]


def fingerprint() -> str:
    """Return what changes with any line of the library or of the matrix."""
    folders = [Path(regularizers.__file__).parent, Path(__file__).parent]
    sources = sorted([path for folder in folders for path in folder.rglob("*.py")])
    return hashlib.sha256(b"".join([path.read_bytes() for path in sources])).hexdigest()[:12]


class Kept:
    """A file with a measured row in each line."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def rows(self) -> dict[str, Row]:
        """Return the rows measured before."""
        lines = self._path.read_text().splitlines() if self._path.is_file() else []
        found = [json.loads(line) for line in lines]
        return {
            name: Row(name, {m: [Outcome(*o) for o in each] for m, each in outcomes.items()})
            for name, outcomes in found
        }

    def add(self, row: Row) -> None:
        """Keep one more row."""
        with self._path.open("a") as file:
            file.write(json.dumps(row) + "\n")
