"""The command: from a configuration to a table, a picture and a run folder."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from regularizers.errors import ConfigurationError
from regularizers.penalties import L1, KLSparsity, Penalty
from regularizers.recipes._run import begun, reopened, resumable
from regularizers.recipes._run_folder import RunFolder
from regularizers.recipes._tables import Floats, Samples, load_digits, load_samples
from regularizers.recipes.sparse_autoencoder._config import Config
from regularizers.recipes.sparse_autoencoder._metrics import Metrics, measure, metrics_table
from regularizers.recipes.sparse_autoencoder._network import Autoencoder
from regularizers.recipes.sparse_autoencoder._picture import draw
from regularizers.recipes.sparse_autoencoder._training import train

RECIPE = "sparse-autoencoder"


@dataclass(frozen=True)
class Variant:
    """One way to train the network."""

    name: str
    penalty: Penalty | None
    coding: type[nn.Module]


def variants_of(config: Config) -> list[Variant]:
    """Return the networks that a run compares."""
    return [
        Variant("none", None, nn.ReLU),
        Variant("L1", L1(config.l1), nn.ReLU),
        Variant("KL", KLSparsity(config.kl, config.target), nn.Sigmoid),
    ]


def run(config: Config) -> None:
    """Train the networks, measure them, and write the run folder; print what a person reads."""
    folder, config = reopened(config)
    samples = load_digits() if config.data is None else load_samples(config.data)
    training, validation = split(samples, config)
    folder = begun(RECIPE, folder, config, samples.name, samples.digest)
    print(
        f"{samples.name}: {len(training)} samples for training, {len(validation)} for "
        f"validation, {training.shape[1]} features, {config.units} units, "
        f"{config.epochs_for(len(training))} epochs",
        flush=True,
    )
    with resumable(RECIPE, folder):
        networks, metrics = _train_all(config, folder, training, validation)
    draw(networks, validation, samples.picture, folder.path / "picture.png")
    print(f"\n{metrics_table(metrics, config.units)}\n")
    print(f"The table's figures, the picture (picture.png) and the networks are in {folder.path}")


def split(samples: Samples, config: Config) -> tuple[Tensor, Tensor]:
    """Return training and validation samples, scaled to [0, 1] by what training samples show."""
    order = np.random.default_rng(config.seed).permutation(len(samples.x))
    held_out = max(round(len(order) * config.validation), 1)
    training, validation = samples.x[order[held_out:]], samples.x[order[:held_out]]
    if len(training) == 0:
        raise ConfigurationError(
            f"validation: expected to leave samples for training, got {config.validation} "
            f"of {len(order)}"
        )
    low, high = _range(training, samples.largest)
    return tuple(torch.from_numpy((x - low) / (high - low)) for x in (training, validation))  # type: ignore[return-value]


def _range(training: Floats, largest: float | None) -> tuple[Floats, Floats]:
    if largest is not None:
        return np.float32(0), np.float32(largest)  # type: ignore[return-value]
    low, high = training.min(axis=0), training.max(axis=0)
    return low, np.where(high > low, high, low + 1).astype(np.float32)


def _train_all(
    config: Config, folder: RunFolder, training: Tensor, validation: Tensor
) -> tuple[dict[str, Autoencoder], dict[str, Metrics]]:
    """Train what the run folder does not hold yet; after each network, keep it."""
    metrics = {name: Metrics(**m) for name, m in folder.read_json("metrics.json").items()}
    networks: dict[str, Autoencoder] = {}
    for variant in variants_of(config):
        torch.manual_seed(config.seed)
        network = Autoencoder(training.mean(dim=0), config.units, variant.coding())
        weights = folder.path / f"{variant.name.lower()}.safetensors"
        if variant.name in metrics and weights.is_file():
            network.load_state_dict(load_file(weights))
            network.eval()
        else:
            checkpoint = folder.path / "checkpoints" / f"{variant.name.lower()}.ckpt"
            train(variant.name, network, variant.penalty, training, config, checkpoint)
            save_file(network.state_dict(), weights)
            metrics[variant.name] = measure(network, validation)
            kept = {name: dataclasses.asdict(m) for name, m in metrics.items()}
            folder.write_json("metrics.json", kept)
        networks[variant.name] = network
    return networks, metrics
