"""The command: from a configuration to a table, a picture, a text and a run folder."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_model, save_model

from regularizers._written import written
from regularizers.errors import ConfigurationError, DataError
from regularizers.recipes._finished import METRICS, finished
from regularizers.recipes._jobs import run_tasks
from regularizers.recipes._progress import duration
from regularizers.recipes._run import open_run, reopen, resumable
from regularizers.recipes._run_folder import RunFolder
from regularizers.recipes.language_model._config import Config
from regularizers.recipes.language_model._corpus import Corpus, read_corpus
from regularizers.recipes.language_model._network import LanguageModel
from regularizers.recipes.language_model._picture import draw
from regularizers.recipes.language_model._sampling import sample
from regularizers.recipes.language_model._table import results_table
from regularizers.recipes.language_model._training import Learned, train
from regularizers.recipes.language_model._variants import ALL, Variant, variants_of

RECIPE = "language-model"

_PROMPT = {"word": 20, "char": 100}
_SAMPLE = {"word": 80, "char": 400}


def run(config: Config) -> None:
    """Train the networks, measure them, write the run folder, and print a summary."""
    folder, config = reopen(RECIPE, config)
    corpus = read_corpus(config.text, config.level, config.min_count, config.validation)
    _check_window(corpus, config)
    folder = open_run(RECIPE, folder, config, corpus.name, corpus.digest)
    folder.write_json("vocabulary.json", corpus.vocabulary)
    variants, shape = variants_of(config), config.shape
    print(
        f"{corpus.name}: {len(corpus.training)} {config.level}s for training, "
        f"{len(corpus.validation)} for validation, {len(corpus.vocabulary)} in the vocabulary\n"
        f"{shape.layers} recurrent layers of {shape.hidden}, embedding of {shape.embedding}, "
        f"{shape.epochs} epochs, {len(variants)} variants, {config.seeds} seeds",
        flush=True,
    )
    with resumable(RECIPE, folder):
        results = _train_all(config, folder, corpus)
    with folder.written("picture.png") as path:
        draw(results, corpus.name, path)
    sample = _sample(config, folder, corpus)
    folder.write_text("sample.txt", sample + "\n")
    print(
        f"\n{results_table(results)}\n\n"
        f"How the network trained with all goes on from the beginning of the validation text, at "
        f"temperature {config.temperature:g}:\n\n{sample}\n"
    )
    print(
        "The table's figures, the picture (picture.png), the text (sample.txt) and the networks "
        f"are in {folder.path}"
    )


def _check_window(corpus: Corpus, config: Config) -> None:
    shape = config.shape
    steps = (len(corpus.training) - 1) // shape.batch_size
    if steps >= shape.window:
        return
    if config.window is not None:
        raise ConfigurationError(
            f"window: expected at most {max(steps, 0)} {config.level}s, the length of each of "
            f"{shape.batch_size} streams of this text, got {config.window}; "
            f"choose a shorter --window or a smaller --batch-size"
        )
    raise DataError(
        f"{corpus.name}: expected at least {shape.window * shape.batch_size + 1} {config.level}s "
        f"for training, one window of {shape.window} in each of {shape.batch_size} streams, "
        f"got {len(corpus.training)}; take a longer text, or a smaller --window or --batch-size"
    )


@dataclass(frozen=True)
class _Task:
    """One network to train."""

    variant: Variant
    seed: int
    config: Config
    corpus: Corpus
    folder: Path

    @property
    def name(self) -> str:
        return f"{self.variant.file_name}-{self.seed}"

    @property
    def weights(self) -> Path:
        return self.folder / "networks" / f"{self.name}.safetensors"

    @property
    def checkpoint(self) -> Path:
        return self.folder / "checkpoints" / f"{self.name}.ckpt"


def _train_all(config: Config, folder: RunFolder, corpus: Corpus) -> dict[str, list[Learned]]:
    """Train the networks that the run folder lacks, and save the figures of each."""
    variants, seeds = variants_of(config), config.all_seeds()
    networks = {f"{v.file_name}-{seed}": (v.name, str(seed)) for seed in seeds for v in variants}
    kept = finished(folder, Learned, networks, config.from_scratch)
    tasks = [
        _Task(variant, seed, config, corpus, folder.path)
        for seed in seeds
        for variant in variants
        if str(seed) not in kept.get(variant.name, {})
    ]
    begin = time.monotonic()
    for count, (task, learned) in enumerate(run_tasks(_train_one, tasks, config.jobs), 1):
        kept.setdefault(task.variant.name, {})[str(task.seed)] = learned
        # in the order of the table, not of completion
        kept = {
            v.name: dict(sorted(kept[v.name].items(), key=lambda item: int(item[0])))
            for v in variants
            if v.name in kept
        }
        folder.write_json(METRICS, kept)
        folder.remove(f"checkpoints/{task.name}.ckpt")
        left = (time.monotonic() - begin) / count * (len(tasks) - count)
        print(
            f"{task.variant.name}, seed {task.seed}: validation perplexity "
            f"{learned.epochs[-1].perplexity:.1f} ({count} of {len(tasks)} networks"
            + (f", about {duration(left)} left)" if left else ")"),
            flush=True,
        )
    return {v.name: [kept[v.name][str(seed)] for seed in seeds] for v in variants}


def _train_one(task: _Task) -> Learned:
    torch.manual_seed(task.seed)
    network = _network(task.corpus, task.config, task.variant)
    learned = train(
        network,
        task.variant,
        torch.from_numpy(task.corpus.training),
        torch.from_numpy(task.corpus.validation),
        task.config,
        task.seed,
        task.checkpoint,
    )
    with written(task.weights) as path:
        save_model(network, str(path))
    return learned


def _network(corpus: Corpus, config: Config, variant: Variant) -> LanguageModel:
    shape = config.shape
    return LanguageModel(
        len(corpus.vocabulary),
        shape.embedding,
        shape.hidden,
        shape.layers,
        variant.dropouts(config),
    )


def _sample(config: Config, folder: RunFolder, corpus: Corpus) -> str:
    """Return a continuation of the validation text by the fully regularized network."""
    variant = next(v for v in variants_of(config) if v.name == ALL)
    task = _Task(variant, config.seed, config, corpus, folder.path)
    network = _network(corpus, config, variant)
    load_model(network, str(task.weights))
    prompt = torch.from_numpy(corpus.validation[: _PROMPT[config.level]])
    drawn = sample(
        network.eval(), prompt, _SAMPLE[config.level], config.temperature, config.seed, never=0
    )
    return f"{corpus.text_of(prompt.tolist())} [...] {corpus.text_of(drawn)}"
