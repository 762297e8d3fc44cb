"""One training by SAELens on a raw file of float32. Runs in an environment with sae-lens.

Trainers that are told how many units are active; the last line printed is the processor time.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

# their trainers are built in one place, which the comparison in the recipe shares
from regularizers.recipes.superposition import _saelens as saelens

TRAINERS = ("topk", "batchtopk", "matryoshka")


def main() -> None:
    """Train, and save the autoencoder in their format."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--trainer", choices=TRAINERS, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--shape", required=True, help="rows,width")
    parser.add_argument("--held-out", type=int, required=True, help="the last rows of the file")
    for name in ("units", "active", "seed", "steps", "batch", "dead-window"):
        parser.add_argument(f"--{name}", type=int, required=True)
    parser.add_argument("--learning-rate", type=float, required=True)
    parser.add_argument("--options", type=json.loads, default={}, help="further, as JSON")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows, width = (int(part) for part in options.shape.split(","))
    file = np.memmap(options.data, dtype=np.float32, mode="r", shape=(rows, width))
    given = saelens.settings(options.trainer, options.units, options.active, None, [])
    began = time.process_time()
    with saelens.silenced():
        sae = saelens.build(
            options.trainer, width, options.units, given | options.options, options.seed
        )
        saelens.trainer_of(
            sae,
            batches(file[: rows - options.held_out], options.batch),
            steps=options.steps,
            batch=options.batch,
            learning_rate=options.learning_rate,
            dead_window=options.dead_window,
        ).fit()
        spent = time.process_time() - began
        sae.save_inference_model(options.out)
    print(spent)


def batches(rows: np.memmap, size: int) -> Iterator[Tensor]:
    """Yield batches in order, and again from the first, without end."""
    while True:
        for start in range(0, len(rows) - size + 1, size):
            yield torch.from_numpy(rows[start : start + size].copy())


if __name__ == "__main__":
    main()
