"""The command: from a configuration to a table, a picture and a run folder."""

from __future__ import annotations

from regularizers._text import visible
from regularizers.errors import ConfigurationError
from regularizers.recipes._finished import METRICS, finished
from regularizers.recipes._run import open_run, reopen, resumable
from regularizers.recipes._run_folder import RunFolder
from regularizers.recipes._scaling import left_out
from regularizers.recipes._training import one_thread
from regularizers.recipes.classifier._config import Config
from regularizers.recipes.classifier._confusion import confusion_csv
from regularizers.recipes.classifier._data import Data, load
from regularizers.recipes.classifier._methods import Method, methods_of
from regularizers.recipes.classifier._metrics import Metrics, measure, results_table
from regularizers.recipes.classifier._networks import SMALLEST_SIDE
from regularizers.recipes.classifier._parts import Parts, parts
from regularizers.recipes.classifier._picture import draw
from regularizers.recipes.classifier._search import search
from regularizers.recipes.classifier._training import trained
from regularizers.recipes.classifier.saved import save

RECIPE = "classifier"


def run(config: Config) -> None:
    """Train the networks, measure them, write the run folder, and print a summary."""
    folder, config = reopen(RECIPE, config)
    data = load(config)
    name, picture = data.labelled.samples.name, data.labelled.samples.picture
    if config.network == "conv" and (picture is None or min(picture[-2:]) < SMALLEST_SIDE):
        got = "rows of a table" if picture is None else f"{picture[-2]}x{picture[-1]}"
        raise ConfigurationError(
            f"network: expected pictures of {SMALLEST_SIDE}x{SMALLEST_SIDE} or more for 'conv', "
            f"got {got} in {name}; use 'mlp'"
        )
    first = parts(data, config, config.seed)
    folder = open_run(RECIPE, folder, config, name, data.digest)
    _print_beginning(data, first, config)
    if config.search:
        search(RECIPE, config, folder, data)
        return
    with resumable(RECIPE, folder), one_thread():
        metrics = _train_all(config, folder, data, first)
    training = len(first.training.x)
    title = f"{name}, {config.network}, {training} training samples, {_seeds(config)}"
    with folder.written("picture.png") as path:
        draw(metrics, title, path)
    confusion = {method: [m.confusion for m in ms] for method, ms in metrics.items()}
    folder.write_text("confusion.csv", confusion_csv(confusion))
    print(f"\n{results_table(metrics)}\n")
    print(
        f"The table's figures, which classes were taken for which (confusion.csv), the picture "
        f"(picture.png) and the networks are in {folder.path}"
    )


def _print_beginning(data: Data, first: Parts, config: Config) -> None:
    tested = "" if first.test is None else f", {len(first.test.x)} for testing"
    training = len(first.training.x)
    print(
        f"{visible(first.samples.name)}: {training} samples for training, "
        f"{len(first.validation.x)} for validation{tested}, {first.training.x.shape[1]} features, "
        f"{len(first.classes)} classes; {config.network}, {config.epochs_for(training)} epochs, "
        + ("" if config.search else f"{len(methods_of(config))} methods, ")
        + _seeds(config),
        flush=True,
    )
    for note in (*first.samples.notes, *left_out(first.dropped)):
        print(visible(note), flush=True)


def _seeds(config: Config) -> str:
    return f"{config.seeds} seed{'s' * (config.seeds > 1)}"


def _train_all(
    config: Config, folder: RunFolder, data: Data, first: Parts
) -> dict[str, list[Metrics]]:
    """Train the networks that the run folder lacks, and save each when it is trained."""
    methods, seeds = methods_of(config), config.all_seeds()
    networks = {f"{m.file_name}-{seed}": (m.name, str(seed)) for seed in seeds for m in methods}
    kept = finished(folder, Metrics, networks, config.from_scratch)
    for seed in seeds:
        lacking = [m for m in methods if str(seed) not in kept.get(m.name, {})]
        if not lacking:
            continue
        of_seed = first if seed == config.seed else parts(data, config, seed)
        if of_seed.dropped != first.dropped:
            for note in left_out(of_seed.dropped):
                print(visible(f"seed {seed}: {note}"), flush=True)
        for method in lacking:
            metrics = _train_one(config, folder, of_seed, method, seed)
            kept.setdefault(method.name, {})[str(seed)] = metrics
            folder.write_json(METRICS, kept)
            folder.remove(f"checkpoints/{method.file_name}-{seed}.ckpt")
    return {method.name: [kept[method.name][str(seed)] for seed in seeds] for method in methods}


def _train_one(
    config: Config, folder: RunFolder, of_seed: Parts, method: Method, seed: int
) -> Metrics:
    name = f"{method.file_name}-{seed}"
    checkpoint = folder.path / "checkpoints" / f"{name}.ckpt"
    network, arguments = trained(of_seed, method, config, seed, checkpoint)
    metrics = measure(network, of_seed)
    save(folder, name, network, arguments, of_seed)
    print(
        f"seed {seed}, {method.name}: train {metrics.train_accuracy:.1%}, "
        f"validation {metrics.validation_accuracy:.1%}",
        flush=True,
    )
    return metrics
