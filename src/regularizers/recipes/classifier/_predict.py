"""Classifies new samples with a network of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from regularizers._text import visible
from regularizers._written import written
from regularizers.recipes._finite_rows import finite_rows
from regularizers.recipes._loaded import load_of
from regularizers.recipes._training import one_thread
from regularizers.recipes.classifier._confusion import balanced_accuracy
from regularizers.recipes.classifier._predict_config import Predict
from regularizers.recipes.data import Schema, read_further


def run(config: Predict) -> None:
    """Classify the samples, write the classes and their probabilities, and print where."""
    loaded = load_of(["classifier"], config.folder, config.network)
    metadata = loaded.metadata
    classes = metadata["classes"]
    schema = Schema.from_json(metadata["schema"])
    new = read_further(schema, config.data, classes, config.labels, config.table)
    with one_thread():
        found = probabilities(loaded.module, new.x, str(config.data))
    out = config.out or config.folder / f"classes-{config.data.name.partition('.')[0]}.csv"
    write(out, found, classes)
    name = visible(config.data.name)
    print(f"{name}: {len(found)} samples, by {metadata['network']} of {config.folder}")
    if new.y is not None:
        y, taken = torch.from_numpy(new.y), torch.from_numpy(found.argmax(axis=1))
        print(
            f"{float((y == taken).double().mean()):.2%} are right; balanced accuracy "
            f"{balanced_accuracy(y, taken):.2%}"
        )
    print(f"Their classes and probabilities are in {out}")


def probabilities(module: nn.Module, x: NDArray[Any], name: str) -> NDArray[np.float32]:
    """Return the probability of each class, (samples, classes).

    Args:
        module: a network that reads samples as they are in a file.
        x: the samples, (samples, features).
        name: the data, as an error names it.

    Raises:
        DataError: a sample is so far from those of the training that float32 holds no probability.
    """
    samples = torch.from_numpy(np.require(x, requirements="W"))
    logits = finite_rows(module, samples, name, "no probabilities")
    found: NDArray[np.float32] = logits.softmax(dim=1).numpy()
    return found


def write(path: Path, found: NDArray[np.float32], classes: list[str]) -> None:
    """Write a CSV: the row of each sample, its class, and the probability of every class."""
    import pandas as pd

    columns: dict[str, Any] = {
        "row": range(1, len(found) + 1),
        "class": [classes[place] for place in found.argmax(axis=1)],
    }
    columns |= {f"p({name})": found[:, place] for place, name in enumerate(classes)}
    frame = pd.DataFrame(columns)
    with written(path) as draft:
        frame.to_csv(draft, index=False)
