"""Stores the rows of each group in a file, so that a stopped run can be resumed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.speed.cases import Row
from benchmarks.speed.groups import groups_of
from benchmarks.speed.machine import Machine


class Results(NamedTuple):
    """The stored measurements of one device."""

    rows: dict[str, list[Row]]
    machines: dict[str, Machine]

    def of(self, group: str) -> list[Row]:
        """Return the rows of a group; empty if it was not measured."""
        return self.rows.get(group, [])

    def find(self, group: str, what: str) -> Row | None:
        """Return one row, if it was measured."""
        return next((row for row in self.of(group) if row.what == what), None)

    def all(self) -> Iterator[Row]:
        for rows in self.rows.values():
            yield from rows


def keep(folder: Path, device: str, group: str, rows: Sequence[Row], machine: Machine) -> None:
    """Write the rows of a group."""
    folder.mkdir(parents=True, exist_ok=True)
    kept = {"machine": machine, "rows": [row.as_json() for row in rows]}
    _file(folder, device, group).write_text(json.dumps(kept, indent=1) + "\n")


def kept(folder: Path, device: str) -> Results:
    """Return all stored rows of a device."""
    rows, machines = {}, {}
    for group in groups_of(device):
        file = _file(folder, device, group)
        if file.is_file():
            found = json.loads(file.read_text())
            rows[group] = [Row.from_json(row) for row in found["rows"]]
            machines[group] = found["machine"]
    return Results(rows, machines)


def _file(folder: Path, device: str, group: str) -> Path:
    return folder / f"speed-{device}-{group}.json"
