"""What a run has finished: its networks, what happened in their trainings, and their figures."""

from __future__ import annotations

from dataclasses import dataclass

from safetensors import SafetensorError

from regularizers.errors import RegularizersError, RunFolderError
from regularizers.recipes._finished import METRICS, anew
from regularizers.recipes._run import check_from_scratch
from regularizers.recipes._run_folder import RunFolder
from regularizers.recipes.sparse_autoencoder._config import Config
from regularizers.recipes.sparse_autoencoder._data import Data
from regularizers.recipes.sparse_autoencoder._metrics import Metrics
from regularizers.recipes.sparse_autoencoder._networks import load
from regularizers.sae import History, SparseAutoencoder

TRAINING = "training.json"


@dataclass(frozen=True)
class Happened:
    """What happened in the training of one network."""

    history: History
    warnings: list[str]


def finished(config: Config, folder: RunFolder, data: Data) -> dict[str, Happened]:
    """Return what happened in the trainings that a run has finished, but for those to do anew.

    Raises:
        ConfigurationError: `--from-scratch` names no network of the run.
        RunFolderError: a file is damaged, or a network that was saved is missing.
    """
    check_from_scratch(config.from_scratch, config.kinds)
    happened = folder.read(TRAINING, dict[str, Happened], {})
    metrics = folder.read(METRICS, dict[str, Metrics], {})
    for kind in config.from_scratch:
        happened.pop(kind, None)
        metrics.pop(kind, None)
    if config.from_scratch:
        # before the checkpoints: if the process is killed here, the networks are still missing
        folder.write_json(METRICS, metrics)
        folder.write_json(TRAINING, happened)
    for kind in config.from_scratch:
        folder.remove(f"checkpoints/{kind}/last.ckpt")
    for kind in happened:
        saved(kind, config, folder, data)
    return happened


def saved(kind: str, config: Config, folder: RunFolder, data: Data) -> SparseAutoencoder:
    """Return a network that was saved.

    Raises:
        RunFolderError: it is missing, damaged, or of another run.
    """
    path = folder.path / kind
    try:
        network = load(kind, data.features, config, path)
    except (RegularizersError, SafetensorError, OSError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise RunFolderError(
            f"{path}: expected the network that was saved, got none that can be read ({reason}); "
            f"{anew(folder, kind)}"
        ) from None
    sizes, expected = (network.features, network.units), (data.features, config.units)
    if sizes != expected:
        raise RunFolderError(
            f"{path}: expected a network of {expected[0]} features and {expected[1]} units, got "
            f"one of {sizes[0]} and {sizes[1]}; {anew(folder, kind)}"
        )
    return network
