"""Times the cases of a group one after the other, and prints each when it is done."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.speed.cases import Row, row_of
from benchmarks.speed.groups import GROUPS
from benchmarks.speed.kept import keep
from benchmarks.speed.machine import describe
from benchmarks.speed.processes import times_in_processes
from benchmarks.speed.settings import Settings


def run(name: str, settings: Settings, folder: Path, again: Sequence[str]) -> None:
    """Time a group and store its rows.

    Args:
        name: of the group.
        settings: how.
        folder: where rows are kept.
        again: the arguments of a process that does the same; a group that needs another
            environment gets a process that is started in it.
    """
    group = GROUPS[name]
    if any(os.environ.get(key) != value for key, value in group.environment.items()):
        command = [sys.executable, "-m", "benchmarks.speed", *again]
        subprocess.run(command, env={**os.environ, **group.environment}, check=True)
        return
    settings.prepare()
    rows = []
    for case in group.cases(settings):
        rows.append(row_of(case, times_in_processes(case, settings)))
        _show(rows[-1])
    keep(folder, settings.device, name, rows, describe(settings))


def _show(row: Row) -> None:
    print(f"\n{row.group}: {row.what}")
    if row.note:
        print(f"  {row.note}")
    for name, seconds in row.times.items():
        over = row.ratios[name]
        print(
            f"  {name:32} {seconds.median * 1e6:12.1f} µs {over.median:9.3f}"
            f"  ({over.low:.3f} to {over.high:.3f})"
        )
    for name, figure in row.figures.items():
        print(f"  {name:64} {figure:.6g}")
    sys.stdout.flush()
