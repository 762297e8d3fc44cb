"""The command: from a configuration to a table, a report and a run folder."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from regularizers.errors import ConfigurationError
from regularizers.recipes._run import open_run, reopen, resumable
from regularizers.recipes._run_folder import RunFolder
from regularizers.recipes._tables import Floats, Samples, load_digits, load_samples
from regularizers.recipes._training import one_thread
from regularizers.recipes.sparse_autoencoder._config import Config
from regularizers.recipes.sparse_autoencoder._history import History
from regularizers.recipes.sparse_autoencoder._metrics import Metrics, measure, metrics_table
from regularizers.recipes.sparse_autoencoder._network import Autoencoder
from regularizers.recipes.sparse_autoencoder._picture import draw
from regularizers.recipes.sparse_autoencoder._result import Result, Trained
from regularizers.recipes.sparse_autoencoder._training import train
from regularizers.recipes.sparse_autoencoder._variants import variants_of
from regularizers.recipes.sparse_autoencoder.report import page

RECIPE = "sparse-autoencoder"


def run(config: Config) -> None:
    """Train the networks, measure them, write the run folder, and print a summary."""
    folder, config = reopen(config)
    samples = load_digits() if config.data is None else load_samples(config.data)
    training, validation = split(samples, config)
    folder = open_run(RECIPE, folder, config, samples.name, samples.digest)
    print(
        f"{samples.name}: {len(training)} samples for training, {len(validation)} for "
        f"validation, {training.shape[1]} features, {config.units} units, "
        f"{config.epochs_for(len(training))} epochs",
        flush=True,
    )
    with resumable(RECIPE, folder), one_thread():
        trained = _train_all(config, folder, training, validation)
    result = Result(config, samples.name, len(training), validation, samples.picture, trained)
    networks = {name: one.network for name, one in trained.items()}
    draw(networks, validation, samples.picture, folder.path / "picture.png")
    folder.write_text("report.html", page(result))
    print(f"\n{metrics_table(result.metrics, config)}\n")
    print(f"The report (report.html), its picture and the networks are in {folder.path}")


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
) -> dict[str, Trained]:
    """Train the networks that the run folder lacks, and save each when it is trained."""
    metrics = {name: Metrics(**m) for name, m in folder.read_json("metrics.json").items()}
    histories = {
        name: History.from_json(h) for name, h in folder.read_json("training.json").items()
    }
    trained: dict[str, Trained] = {}
    for variant in variants_of(config):
        name = variant.name
        torch.manual_seed(config.seed)
        network = Autoencoder(training.mean(dim=0), config.units, variant.coding())
        weights = folder.path / f"{variant.file_name}.safetensors"
        if name in metrics and name in histories and weights.is_file():
            network.load_state_dict(load_file(weights))
            network.eval()
        else:
            checkpoint = folder.path / "checkpoints" / f"{variant.file_name}.ckpt"
            histories[name] = train(network, variant, training, config, checkpoint)
            _check_finite(network, name, config)
            metrics[name] = measure(network, validation, training, histories[name])
            save_file(network.state_dict(), weights)
            folder.write_json("training.json", {n: h.to_json() for n, h in histories.items()})
            folder.write_json(
                "metrics.json", {n: dataclasses.asdict(m) for n, m in metrics.items()}
            )
        trained[name] = Trained(network, metrics[name], histories[name])
    return trained


def _check_finite(network: Autoencoder, name: str, config: Config) -> None:
    if not all(value.isfinite().all() for value in network.state_dict().values()):
        raise ConfigurationError(
            f"learning-rate: expected one at which {name!r} trains, got {config.learning_rate}, at "
            f"which its weights grew beyond all bounds; lower it"
        )
