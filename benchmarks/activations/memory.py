"""Resident memory while a store is written, read, and trained from."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor, nn

import regularizers as rz
from regularizers.sae.streams import StoredActivations, activations

ROWS_OF_BATCH = 2048


class Noise:
    """Batches of noise, the same in each iteration."""

    def __init__(self, batches: int, width: int) -> None:
        self.batches, self.width = batches, width

    def __iter__(self) -> Iterator[Tensor]:
        generator = torch.Generator().manual_seed(0)
        for _ in range(self.batches):
            yield torch.randn(ROWS_OF_BATCH, self.width, generator=generator)


def anonymous_megabytes(name: str = "RssAnon") -> float:
    """Return the resident memory of this process that no file backs; `VmRSS`: all of it."""
    for line in Path("/proc/self/status").read_text("utf-8").splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) / 1024
    raise OSError("this system does not tell anonymous memory")


@contextmanager
def watched() -> Iterator[dict[str, float]]:
    """Yield the growth of anonymous and of all resident memory, at its largest until the end."""
    names = ("RssAnon", "VmRSS")
    before = {name: anonymous_megabytes(name) for name in names}
    growth, ended = dict.fromkeys(names, 0.0), threading.Event()

    def watch() -> None:
        while not ended.wait(0.02):
            for name in names:
                growth[name] = max(growth[name], anonymous_megabytes(name) - before[name])

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield growth
    finally:
        ended.set()
        thread.join()


def trained(folder: Path, width: int, units: int) -> dict[str, float]:
    """Return what one pass of a training takes, beside what `rz.sae.memory` says."""
    sizes = {"features": width, "units": units}
    sae = rz.sae.SparseAutoencoder(**sizes, active=16)
    rz.sae.train(sae, torch.randn(2048, width), steps=2)  # what is loaded is loaded
    network = rz.sae.memory(**sizes, batch_size=ROWS_OF_BATCH)
    start = time.perf_counter()
    with watched() as growth:
        rz.sae.train(sae, folder, batch_size=ROWS_OF_BATCH)
    return {
        "training_mb": round(growth["RssAnon"], 1),
        "training_with_mapped_files_mb": round(growth["VmRSS"], 1),
        "network_mb": round(network.total / 2**20, 1),
        "training_s": round(time.perf_counter() - start, 1),
    }


def measured(folder: Path, size: int, width: int, workers: int) -> dict[str, float]:
    """Return the megabytes stored, and the growth of memory while writing and while reading."""
    batches = max(1, size // (ROWS_OF_BATCH * width * 4))
    before, largest, start = anonymous_megabytes(), 0.0, time.perf_counter()
    stream = activations(nn.Identity(), "", Watched(batches, width), batch_size=ROWS_OF_BATCH)
    stream.store(folder)
    writing, written = Watched.largest - before, time.perf_counter()
    before = anonymous_megabytes()
    for batch in StoredActivations(folder, batch_size=ROWS_OF_BATCH, workers=workers):
        assert batch.shape[1] == width
        largest = max(largest, anonymous_megabytes())
    return {
        "stored_mb": batches * ROWS_OF_BATCH * width * 4 / 2**20,
        "writing_mb": round(writing, 1),
        "reading_mb": round(largest - before, 1),
        "writing_s": round(written - start, 1),
        "reading_s": round(time.perf_counter() - written, 1),
    }


class Watched(Noise):
    """Noise that notes the largest memory at each of its batches."""

    largest = 0.0

    def __iter__(self) -> Iterator[Tensor]:
        for batch in super().__iter__():
            Watched.largest = max(Watched.largest, anonymous_megabytes())
            yield batch
