"""The rows that two processes measured."""

import json
from pathlib import Path

from two_processes import launched

FOLDER = Path(__file__).parent


def rows(script: str = "ranks.py") -> list[dict[str, str]]:
    """Return a row for each regime and penalty: the outcome of each method in it."""
    finished = launched(FOLDER / script, timeout=600)
    if finished.returncode != 0:
        raise RuntimeError(finished.stderr)
    measured: list[dict[str, str]] = json.loads(finished.stdout.splitlines()[-1])
    return measured
