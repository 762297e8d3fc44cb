"""The rows that two processes measured."""

import json
import os
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent


def _path() -> str:
    """Return where the processes look first: as this one does, and among the tests."""
    return os.pathsep.join([*filter(None, [os.environ.get("PYTHONPATH")]), str(FOLDER.parent)])


def rows(script: str = "ranks.py") -> list[dict[str, str]]:
    """Return a row for each regime and penalty: the outcome of each method in it."""
    launched = subprocess.run(
        [
            *[sys.executable, "-m", "torch.distributed.run", "--standalone"],
            *["--nproc-per-node", "2", str(FOLDER / script)],
        ],
        capture_output=True,
        text=True,
        timeout=600,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": _path()},
    )
    if launched.returncode != 0:
        raise RuntimeError(launched.stderr)
    measured: list[dict[str, str]] = json.loads(launched.stdout.splitlines()[-1])
    return measured
