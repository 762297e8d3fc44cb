"""A store is written, read and trained from: how much memory of its own the process takes.

`python -m benchmarks.activations --gigabytes 2` prints the size of the store and the largest growth
of the anonymous resident memory, in MB, from before the first batch. Pages of the mapped files
are not in it: the system takes them back when it needs them. `--units 512` trains an autoencoder
for one pass as well, and prints what `rz.sae.memory` says of it beside.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

from benchmarks.activations.memory import measured, trained


def main() -> None:
    """Write a store into a temporary folder and print what reading it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gigabytes", type=float, default=2.0)
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--units", type=int, default=0, help="of an autoencoder that is trained")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=None, help="where there is room for it")
    settings = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=settings.folder) as folder:
        size = int(settings.gigabytes * 1e9)
        found = measured(Path(folder), size, settings.width, settings.workers)
        if settings.units:
            found |= trained(Path(folder), settings.width, settings.units)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
