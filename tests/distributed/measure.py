"""The rows that two processes measured."""

import json
from pathlib import Path

from two_processes import launched

FOLDER = Path(__file__).parent


def rows(script: str = "ranks.py", *, all_cells: bool = True) -> list[dict[str, str]]:
    """Return a row for each regime and penalty, or of a sample: the outcome of each method."""
    finished = launched(FOLDER / script, *["--all-cells"] * all_cells, timeout=600)
    if finished.returncode != 0:
        raise RuntimeError(finished.stderr)
    measured: list[dict[str, str]] = json.loads(finished.stdout.splitlines()[-1])
    return measured
