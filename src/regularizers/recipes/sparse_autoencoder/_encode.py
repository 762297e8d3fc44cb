"""Writes the codes of samples by a network of a run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

import regularizers as rz
from regularizers._text import visible
from regularizers._written import written
from regularizers.errors import ConfigurationError
from regularizers.recipes._finite_rows import finite_rows
from regularizers.recipes._loaded import load_of
from regularizers.recipes._training import one_thread
from regularizers.recipes.data import Schema
from regularizers.recipes.sparse_autoencoder._encode_config import Encode
from regularizers.recipes.sparse_autoencoder._networks import is_sigmoid
from regularizers.recipes.sparse_autoencoder._scaled import ScaledAutoencoder
from regularizers.recipes.sparse_autoencoder._stores import stored_rows

_SUFFIXES = (".npz", ".npy", ".csv")


def run(config: Encode) -> None:
    """Encode the samples, write the codes, and print where, with what they are worth."""
    out = config.out or config.folder / f"codes-{config.data.name.partition('.')[0]}.npz"
    if out.suffix not in _SUFFIXES:
        raise ConfigurationError(f"out: expected a .npz, .npy or .csv, got {out}")
    loaded = load_of(["sparse-autoencoder"], config.folder, config.network)
    module, metadata = loaded.module, loaded.metadata
    assert isinstance(module, ScaledAutoencoder)
    if metadata["schema"] is None:
        x = stored_rows(config.data, metadata["site"], module.network.features)
    else:
        rows = Schema.from_json(metadata["schema"]).rows_of(config.data, config.table)
        x = torch.from_numpy(np.require(rows, requirements="W"))
    with one_thread():
        found = codes(module, x, str(config.data))
        worth = rz.sae.evaluate(module.network, module.scaling(x))
    _write(out, found)
    active = f"{worth.l0:.1f} of {module.network.units} units are active in a sample"
    if is_sigmoid(module.network):
        active = f"the mean activation of {module.network.units} units is {found.mean():.3f}"
    name = visible(config.data.name)
    print(f"{name}: {len(found)} samples, by {metadata['network']} of {config.folder}")
    print(f"{active}; explained variance {worth.explained_variance:.1%}")
    print(f"Their codes are in {out}")


def codes(module: ScaledAutoencoder, x: Tensor, name: str) -> NDArray[np.float32]:
    """Return the codes of samples, (samples, units).

    Args:
        module: an autoencoder that reads samples as they are in a file.
        x: the samples, (samples, columns).
        name: the data, as an error names it.

    Raises:
        DataError: a sample is so far from those of the training that float32 does not hold it.
    """
    found: NDArray[np.float32] = finite_rows(module.encode, x, name, "no code").numpy()
    return found


def _write(path: Path, found: NDArray[np.float32]) -> None:
    with written(path) as draft:
        if path.suffix == ".csv":
            import pandas as pd

            units = [f"unit {unit + 1}" for unit in range(found.shape[1])]
            frame = pd.DataFrame(found, columns=units)
            frame.insert(0, "row", range(1, len(found) + 1))
            frame.to_csv(draft, index=False)
        elif path.suffix == ".npy":
            np.save(draft, found)
        else:
            np.savez_compressed(draft, codes=found)
