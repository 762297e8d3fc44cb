"""The command: from a configuration to a table, a picture and a run folder."""

from __future__ import annotations

from functools import partial

import torch
from safetensors.torch import save
from torch import nn

from regularizers.errors import ConfigurationError
from regularizers.recipes._finished import METRICS, finished
from regularizers.recipes._labelled import (
    Labelled,
    load_labelled_digits,
    load_with_labels,
    load_with_target,
)
from regularizers.recipes._run import open_run, reopen, resumable
from regularizers.recipes._run_folder import RunFolder
from regularizers.recipes._training import one_thread
from regularizers.recipes.classifier._config import Config
from regularizers.recipes.classifier._methods import Method, methods_of
from regularizers.recipes.classifier._metrics import Metrics, measure, results_table
from regularizers.recipes.classifier._networks import SMALLEST_SIDE, conv, mlp
from regularizers.recipes.classifier._parts import parts
from regularizers.recipes.classifier._picture import draw
from regularizers.recipes.classifier._training import train

RECIPE = "classifier"


def run(config: Config) -> None:
    """Train the networks, measure them, write the run folder, and print a summary."""
    folder, config = reopen(RECIPE, config)
    labelled = _load(config)
    name, picture = labelled.samples.name, labelled.samples.picture
    if config.network == "conv" and (picture is None or min(picture) < SMALLEST_SIDE):
        got = "rows of a table" if picture is None else f"{picture[0]}x{picture[1]}"
        raise ConfigurationError(
            f"network: expected pictures of {SMALLEST_SIDE}x{SMALLEST_SIDE} or more for 'conv', "
            f"got {got} in {name}; use 'mlp'"
        )
    training, validation = parts(labelled, config, config.seed)
    folder = open_run(RECIPE, folder, config, name, labelled.digest)
    print(
        f"{name}: {len(training.x)} samples for training, {len(validation.x)} for validation, "
        f"{training.x.shape[1]} features, {len(labelled.classes)} classes; {config.network}, "
        f"{config.epochs_for(len(training.x))} epochs, {len(methods_of(config))} methods, "
        f"{_seeds(config)}",
        flush=True,
    )
    with resumable(RECIPE, folder), one_thread():
        metrics = _train_all(config, folder, labelled)
    title = f"{name}, {config.network}, {len(training.x)} training samples, {_seeds(config)}"
    with folder.written("picture.png") as path:
        draw(metrics, title, path)
    print(f"\n{results_table(metrics)}\n")
    print(f"The table's figures, the picture (picture.png) and the networks are in {folder.path}")


def _seeds(config: Config) -> str:
    return f"{config.seeds} seed{'s' * (config.seeds > 1)}"


def _load(config: Config) -> Labelled:
    if config.data is None:
        return load_labelled_digits()
    if config.target is not None:
        return load_with_target(config.data, config.target)
    assert config.labels is not None
    return load_with_labels(config.data, config.labels)


def _train_all(config: Config, folder: RunFolder, labelled: Labelled) -> dict[str, list[Metrics]]:
    """Train the networks that the run folder lacks, and save each when it is trained."""
    methods, seeds = methods_of(config), config.all_seeds()
    networks = {f"{m.file_name}-{seed}": (m.name, str(seed)) for seed in seeds for m in methods}
    kept = finished(folder, Metrics, networks, config.from_scratch)
    for seed in seeds:
        for method in methods:
            of_seeds = kept.setdefault(method.name, {})
            if str(seed) not in of_seeds:
                of_seeds[str(seed)] = _train_one(config, folder, labelled, method, seed)
                folder.write_json(METRICS, kept)
                folder.remove(f"checkpoints/{method.file_name}-{seed}.ckpt")
    return {method.name: [kept[method.name][str(seed)] for seed in seeds] for method in methods}


def _train_one(
    config: Config, folder: RunFolder, labelled: Labelled, method: Method, seed: int
) -> Metrics:
    training, validation = parts(labelled, config, seed)
    torch.manual_seed(seed)
    network = _network(config, labelled, method)
    name = f"{method.file_name}-{seed}"
    checkpoint = folder.path / "checkpoints" / f"{name}.ckpt"
    train(network, method, training, config, seed, checkpoint)
    if not all(torch.isfinite(value).all() for value in network.state_dict().values()):
        raise ConfigurationError(
            f"learning-rate: expected one at which {method.name!r} of seed {seed} trains, got "
            f"{config.learning_rate}, at which its weights grew beyond all bounds; lower it"
        )
    metrics = measure(network, training, validation)
    with folder.written(f"networks/{name}.safetensors") as path:
        path.write_bytes(save(network.state_dict()))
    print(
        f"seed {seed}, {method.name}: train {metrics.train_accuracy:.1%}, "
        f"validation {metrics.validation_accuracy:.1%}",
        flush=True,
    )
    return metrics


def _network(config: Config, labelled: Labelled, method: Method) -> nn.Module:
    build = partial(mlp, labelled.samples.x.shape[1], config.units)
    if config.network == "conv":
        assert labelled.samples.picture is not None
        build = partial(conv, labelled.samples.picture)
    return build(len(labelled.classes), dropout=method.dropout, batch_norm=method.batch_norm)
