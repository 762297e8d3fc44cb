"""Samples in a file of float32, memory-mapped, which every contender reads in the same order."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor


class Samples:
    """The rows of a raw file: the last `held_out` for evaluation, those before for training."""

    def __init__(self, path: Path, shape: tuple[int, int], held_out: int) -> None:
        expected, found = 4 * shape[0] * shape[1], path.stat().st_size
        if expected != found:
            raise SystemExit(
                f"{path}: {shape} of float32 are {expected} bytes, the file has {found}"
            )
        if not 0 < held_out < shape[0]:
            raise SystemExit(f"--held-out {held_out} of {shape[0]} samples leaves none to train on")
        rows = np.memmap(path, dtype=np.float32, mode="r", shape=shape)
        self.train, self.held_out = rows[:-held_out], rows[-held_out:]

    def batches(self, size: int, start: int = 0) -> Iterator[Tensor]:
        """Yield batches in order, and again from the first after the last full one, without end."""
        full = len(self.train) // size
        if not full:
            raise SystemExit(
                f"a batch of {size} needs as many samples, there are {len(self.train)}"
            )
        while True:
            for i in range(start % full, full):
                yield torch.from_numpy(self.train[i * size : (i + 1) * size].copy())
            start = 0

    def evaluated(self, size: int = 8192) -> Iterator[Tensor]:
        """Yield the samples of evaluation once."""
        for i in range(0, len(self.held_out), size):
            yield torch.from_numpy(self.held_out[i : i + size].copy())
