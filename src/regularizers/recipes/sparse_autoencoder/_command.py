"""The command: from a configuration to a table, a report and a run folder."""

from __future__ import annotations

from regularizers._text import visible
from regularizers.errors import ConfigurationError
from regularizers.recipes._finished import METRICS
from regularizers.recipes._processes import is_first
from regularizers.recipes._run import open_run, reopen, resumable
from regularizers.recipes._run_folder import RunFolder
from regularizers.recipes._training import one_thread
from regularizers.recipes.sparse_autoencoder._checks import check_varied
from regularizers.recipes.sparse_autoencoder._config import TITLES, Config
from regularizers.recipes.sparse_autoencoder._data import Data, load
from regularizers.recipes.sparse_autoencoder._finished import TRAINING, Happened, finished, saved
from regularizers.recipes.sparse_autoencoder._metrics import Metrics, measure
from regularizers.recipes.sparse_autoencoder._networks import save
from regularizers.recipes.sparse_autoencoder._picture import draw
from regularizers.recipes.sparse_autoencoder._processes import started_again_as
from regularizers.recipes.sparse_autoencoder._recovered import classifier_of
from regularizers.recipes.sparse_autoencoder._result import Result, Trained
from regularizers.recipes.sparse_autoencoder._table import metrics_table
from regularizers.recipes.sparse_autoencoder._training import train
from regularizers.recipes.sparse_autoencoder.report import page
from regularizers.recipes.sparse_autoencoder.saved import save_scaling
from regularizers.sae import SparseAutoencoder

RECIPE = "sparse-autoencoder"


def run(config: Config) -> None:
    """Train the networks, measure them, write the run folder, and print a summary."""
    folder, config = reopen(RECIPE, config)
    data = load(config)
    check_varied(data)
    folder = open_run(RECIPE, folder, config, data.name, data.digest)
    if is_first():
        print(
            f"{visible(data.name)}: {data.training_samples} samples for training, "
            f"{len(data.validation)} for validation, {data.features} features, "
            f"{config.units} units, {config.steps} steps of {config.batch_size} samples",
            flush=True,
        )
        for note in data.notes:
            print(visible(note), flush=True)
        save_scaling(data, folder)
    with resumable(RECIPE, folder), one_thread():
        with started_again_as([RECIPE, "--resume", str(folder.path)], config.devices):
            _train_all(config, folder, data)
        if not is_first():
            return
        result = Result(config, data, _trained(config, folder, data))
        with folder.written("picture.png") as path:
            draw(result, path)
        folder.write_text("report.html", page(result))
    print(f"\n{metrics_table(result.metrics, config)}\n")
    print(f"The report (report.html), its picture and the networks are in {folder.path}")


def _train_all(config: Config, folder: RunFolder, data: Data) -> None:
    """Train the networks that the run folder lacks, and save each when it is trained."""
    happened = finished(config, folder, data)
    for kind in config.kinds:
        if kind in happened:
            continue
        network, history, said = train(kind, data, config, folder.path / "checkpoints" / kind)
        _check_finite(network, kind, config)
        if is_first():
            save(network, folder.path / kind)
            happened[kind] = Happened(history, said)
            folder.write_json(TRAINING, happened)


def _trained(config: Config, folder: RunFolder, data: Data) -> dict[str, Trained]:
    """Return all networks as they were saved, with their figures."""
    happened, classifier = folder.read(TRAINING, dict[str, Happened], {}), classifier_of(data)
    kept = folder.read(METRICS, dict[str, Metrics], {})
    trained = {}
    for kind in config.kinds:
        network, history = saved(kind, config, folder, data), happened[kind].history
        if kind not in kept:
            kept[kind] = measure(network, data, history, classifier)
            folder.write_json(METRICS, kept)
        trained[kind] = Trained(network, kept[kind], history, happened[kind].warnings)
    return trained


def _check_finite(network: SparseAutoencoder, kind: str, config: Config) -> None:
    if not all(value.isfinite().all() for value in network.state_dict().values()):
        raise ConfigurationError(
            f"learning-rate: expected one at which {TITLES[kind]} trains, got "
            f"{config.learning_rate}, at which its weights grew beyond all bounds; lower it"
        )
