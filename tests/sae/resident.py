"""Trains for a few steps, and prints the growth of the largest resident memory, in bytes.

Given are the features, the units, the batch size, the steps, and whether units are revived.
"""

import sys
import warnings
from pathlib import Path

import torch

import regularizers as rz


def largest() -> int:
    # ru_maxrss begins at that of the process which started this one
    (line,) = [s for s in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in s]
    return int(line.split()[1]) * 1024


def train(features: int, units: int, batch: int, steps: int, revive: bool) -> None:
    sae = rz.sae.SparseAutoencoder(features, units, 2)
    x = torch.randn(batch, features)
    rz.sae.train(sae, x, steps=steps, batch_size=batch, revive=revive)


if __name__ == "__main__":
    features, units, batch, steps, revive = map(int, sys.argv[1:])
    warnings.simplefilter("ignore")
    train(8, 16, 64, 2, True)  # libraries are loaded
    before = largest()
    train(features, units, batch, steps, bool(revive))
    sys.stdout.write(str(largest() - before - 4 * batch * features))
