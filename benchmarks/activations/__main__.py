"""A store is written and read for an epoch: how much memory of its own the process takes.

`python -m benchmarks.activations --gigabytes 2` prints the size of the store and the largest growth
of the anonymous resident memory, in MB, from before the first batch. Pages of the mapped files
are not in it: the system takes them back when it needs them.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

from benchmarks.activations.memory import measured


def main() -> None:
    """Write a store into a temporary folder and print what reading it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gigabytes", type=float, default=2.0)
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=None, help="where there is room for it")
    settings = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=settings.folder) as folder:
        size = int(settings.gigabytes * 1e9)
        found = measured(Path(folder), size, settings.width, settings.workers)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
