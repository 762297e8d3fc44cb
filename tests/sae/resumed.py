"""Trainings that may be interrupted and gone on with, on data of each kind.

As a script it trains one, from its last checkpoint on if there is one, and writes what came of it:
the architecture, the data, the steps, a folder of checkpoints or "", and the file are given. It
says "began" when it has read all it imports.
"""

from __future__ import annotations

import signal
import sys
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import nn

import regularizers as rz
from sae.problems import superposed

ROWS = 2000
BATCH = 64


def stream() -> Any:
    """Return a stream of the samples, as the activations of a model that turns them."""
    model = nn.Linear(8, 8, bias=False)
    with torch.no_grad():
        model.weight.copy_(torch.eye(8).roll(1, 0))
    data = superposed(ROWS)[0].split(100)
    return rz.sae.activations(model, "", [*data], batch_size=BATCH, buffer=500)


def data_of(kind: str, folder: Path) -> Any:
    """Return the samples as a tensor, a folder that is made for it, or a stream."""
    if kind == "tensor":
        return superposed(ROWS)[0]
    if kind == "stream":
        return stream()
    return stream().store(folder, shard_rows=300)


def trained(
    architecture: str, data: Any, steps: int, checkpoints: Any = None, **options: Any
) -> dict[str, Any]:
    """Return the state and the history of a training."""
    goes_on = checkpoints is not None and (Path(checkpoints) / "last.ckpt").exists()
    torch.manual_seed(3 if goes_on else 0)  # what is gone on with replaces any weights
    sae = rz.sae.SparseAutoencoder(8, 16, 2, architecture)
    with torch.no_grad():
        sae.encoder.bias[[3, 7]] = -9.0  # so that units are started anew
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*TargetActive", category=UserWarning)
        history = rz.sae.train(
            sae, data, steps=steps, batch_size=BATCH, checkpoints=checkpoints, **options
        )
    return {**sae.state_dict(), "history": history.state_dict()}


def are_equal(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Return whether two trainings are the same to the bit."""
    return one.keys() == other.keys() and all(
        value.equal(other[name]) if isinstance(value, torch.Tensor) else value == other[name]
        for name, value in one.items()
    )


if __name__ == "__main__":
    architecture, kind, steps, checkpoints, path = sys.argv[1:]
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell in the background ignores it
    source = data_of(kind, Path(path).parent / "store")
    sys.stdout.write("began\n")
    sys.stdout.flush()
    torch.save(trained(architecture, source, int(steps), checkpoints or None), f"{path}.part")
    Path(f"{path}.part").rename(path)
