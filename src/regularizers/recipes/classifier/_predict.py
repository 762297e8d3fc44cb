"""Classifies new samples with a network of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from regularizers.errors import ConfigurationError, DataError
from regularizers.recipes._loaded import Loaded, load
from regularizers.recipes._training import one_thread
from regularizers.recipes.classifier._confusion import balanced_accuracy
from regularizers.recipes.classifier._metrics import AT_ONCE
from regularizers.recipes.classifier._predict_config import Predict
from regularizers.recipes.data import Schema


def run(config: Predict) -> None:
    """Classify the samples, write the classes and their probabilities, and print where."""
    loaded = load(config.folder, config.network)
    check_recipe(loaded, "classifier", config.folder)
    metadata = loaded.metadata
    new = Schema.from_json(metadata["schema"]).read(config.data)
    with one_thread():
        found = probabilities(loaded.module, new.x, str(config.data))
    classes = found.argmax(axis=1)
    out = config.out or config.folder / f"classes-{config.data.name.partition('.')[0]}.csv"
    write(out, classes, found, metadata["classes"])
    print(f"{config.data.name}: {len(found)} samples, by {metadata['network']} of {config.folder}")
    if labels is not None:
        print()
    print(f"Their classes and probabilities are in {out}")


@torch.no_grad()
def probabilities(module: nn.Module, x: NDArray[Any], name: str) -> NDArray[np.float32]:
    """Return the probability of each class, (samples, classes).

    Args:
        module: a network that reads samples as they are in a file.
        x: the samples, (samples, features).
        name: the data, as an error names it.

    Raises:
        DataError: a sample is so far from those of the training that float32 holds no probability.
    """
    logits = torch.cat([module(part) for part in torch.from_numpy(x).split(AT_ONCE)])
    wrong = (~logits.isfinite().all(dim=1)).nonzero().flatten()
    if len(wrong):
        raise DataError(
            f"{name}, row {int(wrong[0]) + 1}: expected a sample like those of the training, got "
            f"one so far from them that it has no probabilities in float32; mend or drop it"
        )
    found: NDArray[np.float32] = logits.softmax(dim=1).numpy()
    return found
