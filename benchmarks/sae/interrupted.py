"""Trainings that are interrupted at random moments and gone on with, against whole ones.

    python -m benchmarks.sae.interrupted --moments 10

Each is a process of its own that is sent SIGINT and started again until it ends. A line for each
says how many interruptions there were, and whether every weight, buffer and point of the history
is that of a training that nobody interrupted, to the bit.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "tests" / "sae" / "resumed.py"
KINDS = ("tensor", "store", "stream")
ARCHITECTURES = ("jumprelu", "batchtopk")
SHARE = 0.2
"""The longest time to an interruption, as a share of a whole training."""


def main() -> None:
    """Run every kind of data with every architecture, and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--moments", type=int, default=10)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kinds", nargs="+", default=[*KINDS], choices=KINDS)
    parser.add_argument("--architectures", nargs="+", default=[*ARCHITECTURES])
    options = parser.parse_args()
    draws = random.Random(options.seed)
    equal = True
    for kind in options.kinds:
        for architecture in options.architectures:
            with tempfile.TemporaryDirectory() as folder:
                job = (architecture, kind, str(options.steps))
                interrupted, same = compared(job, Path(folder), options.moments, draws)
            equal &= same
            verdict = "equal to the bit" if same else "DIFFERENT"
            print(f"{kind}, {architecture}: {interrupted} interruptions, {verdict}", flush=True)
    sys.exit(not equal)


def compared(
    job: tuple[str, ...], folder: Path, moments: int, draws: random.Random
) -> tuple[int, bool]:
    """Return how often a training was interrupted, and whether it ended as a whole one."""
    whole, resumed = folder / "whole.pt", folder / "resumed.pt"
    with launched(job, "", whole) as process:
        read_began(process)
        start = time.perf_counter()
    check_ended(process)
    longest = SHARE * (time.perf_counter() - start)
    interrupted = 0
    while interrupted < moments and not resumed.exists():
        with launched(job, str(folder / "checkpoints"), resumed) as process:
            read_began(process)
            time.sleep(draws.uniform(0, longest))
            process.send_signal(signal.SIGINT)
            interrupted += 1
    if not resumed.exists():
        with launched(job, str(folder / "checkpoints"), resumed) as process:
            read_began(process)
        check_ended(process)
    return interrupted, are_equal(torch.load(whole), torch.load(resumed))


def launched(job: tuple[str, ...], checkpoints: str, path: Path) -> subprocess.Popen[str]:
    """Start one training."""
    paths = [str(ROOT / "src"), str(ROOT / "tests")]
    return subprocess.Popen(
        [sys.executable, str(SCRIPT), *job, checkpoints, str(path)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def read_began(process: subprocess.Popen[str]) -> None:
    """Wait until a training begins."""
    assert process.stdout is not None
    if process.stdout.readline() != "began\n":
        raise RuntimeError(f"expected a training that begins, got {process.wait()}")


def check_ended(process: subprocess.Popen[str]) -> None:
    """Raise unless a training that nobody interrupted came to its end."""
    if process.returncode:
        raise RuntimeError(f"expected a training that ends, got {process.returncode}")


def are_equal(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Return whether two trainings are the same to the bit."""
    return one.keys() == other.keys() and all(
        value.equal(other[name]) if isinstance(value, torch.Tensor) else value == other[name]
        for name, value in one.items()
    )


if __name__ == "__main__":
    main()
