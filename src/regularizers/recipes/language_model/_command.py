"""The command: from a configuration to a table, a picture, a text and a run folder."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from regularizers._text import visible, visible_lines
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
from regularizers.recipes.language_model._search import search, without_end
from regularizers.recipes.language_model._table import results_table
from regularizers.recipes.language_model._training import Learned, train
from regularizers.recipes.language_model._variants import Variant, variants_of
from regularizers.recipes.language_model._words import UNITS, UNKNOWN
from regularizers.recipes.language_model.saved import load, save

RECIPE = "language-model"

_PROMPT = {"word": 20, "char": 100, "bpe": 40}
_SAMPLE = {"word": 80, "char": 400, "bpe": 160}


def run(config: Config) -> None:
    """Train the networks, measure them, write the run folder, and print a summary."""
    folder, config = reopen(RECIPE, config)
    if isinstance(config.validation, str):
        # as all paths are kept: a run is resumed from any folder
        config = replace(config, validation=str(Path(config.validation).resolve()))
    corpus = read_corpus(config)
    _check_window(without_end(corpus) if config.search else corpus, config)
    folder = open_run(RECIPE, folder, config, corpus.name, corpus.digest)
    folder.write_json("vocabulary.json", corpus.vocabulary.to_json())
    variants, shape = variants_of(config), config.shape
    print(
        *corpus.notes,
        f"{visible(corpus.name)}: {_lengths(corpus)}, {len(corpus.vocabulary)} in the vocabulary",
        f"{shape.layers} recurrent layers of {shape.hidden}, embedding of {shape.embedding}, "
        f"{shape.epochs} epochs, "
        + ("" if config.search else f"{len(variants)} variants, ")
        + f"{config.seeds} seeds",
        sep="\n",
        flush=True,
    )
    if config.search:
        search(RECIPE, config, folder, corpus)
        return
    with resumable(RECIPE, folder):
        results = _train_all(config, folder, corpus)
    with folder.written("picture.png") as path:
        draw(results, corpus.name, path)
    sample = _sample(config, folder, corpus)
    folder.write_text("sample.txt", sample + "\n")
    print(
        f"\n{results_table(results, max(p.unknown for p in corpus.parts().values()))}\n\n"
        f"How the network trained with all goes on from the beginning of the validation text, at "
        f"temperature {config.temperature:g}:\n\n{visible_lines(sample)}\n"
    )
    print(
        "The table's figures, the picture (picture.png), the text (sample.txt) and the networks "
        f"are in {folder.path}"
    )


def _lengths(corpus: Corpus) -> str:
    """Return the tokens of each text, and how many of them are unknown."""
    units, unknown = UNITS[corpus.vocabulary.level], corpus.vocabulary.unknown
    return ", ".join(
        f"{len(part.tokens)} {units} for {name}"
        + ("" if unknown is None else f" ({part.unknown:.2%} {UNKNOWN})")
        for name, part in corpus.parts().items()
    )


def _check_window(corpus: Corpus, config: Config) -> None:
    shape, units = config.shape, UNITS[config.level]
    steps = (len(corpus.training.tokens) - 1) // shape.batch_size
    if steps >= shape.window:
        return
    if config.window is not None:
        raise ConfigurationError(
            f"window: expected at most {max(steps, 0)} {units}, the length of each of "
            f"{shape.batch_size} streams of this text, got {config.window}; "
            f"choose a shorter --window or a smaller --batch-size"
        )
    raise DataError(
        f"{corpus.name}: expected at least {shape.window * shape.batch_size + 1} {units} "
        f"for training, one window of {shape.window} in each of {shape.batch_size} streams, "
        f"got {len(corpus.training.tokens)}; take a longer text, or a smaller --window or "
        f"--batch-size"
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
            f"{_figures(learned)} ({count} of {len(tasks)} networks"
            + (f", about {duration(left)} left)" if left else ")"),
            flush=True,
        )
    return {v.name: [kept[v.name][str(seed)] for seed in seeds] for v in variants}


def _figures(learned: Learned) -> str:
    last = learned.epochs[-1]
    bits = "" if last.bits_per_byte is None else f", {last.bits_per_byte:.3f} bits per byte"
    return f"{last.perplexity:.1f}{bits}"


def _train_one(task: _Task) -> Learned:
    torch.manual_seed(task.seed)
    config, corpus, shape = task.config, task.corpus, task.config.shape
    dropouts = task.variant.dropouts(config)
    network = LanguageModel(
        len(corpus.vocabulary), shape.embedding, shape.hidden, shape.layers, dropouts
    )
    learned = train(network, task.variant, corpus, config, task.seed, task.checkpoint)
    save(
        task.weights,
        network,
        dropouts,
        corpus.vocabulary,
        variant=task.variant.name,
        seed=task.seed,
        data=corpus.name,
    )
    return learned


def _sample(config: Config, folder: RunFolder, corpus: Corpus) -> str:
    """Return a continuation of the validation text by the fully regularized network."""
    network, vocabulary = load(folder).module, corpus.vocabulary
    assert isinstance(network, LanguageModel)
    prompt = corpus.validation.tokens[: _PROMPT[config.level]]
    try:
        drawn = sample(
            network,
            torch.from_numpy(prompt),
            _SAMPLE[config.level],
            config.temperature,
            config.seed,
            never=vocabulary.unknown,
        )
    except ConfigurationError as error:
        return f"(no text: {error})"
    return f"{vocabulary.decode(prompt.tolist())} [...] {vocabulary.decode(drawn)}"
