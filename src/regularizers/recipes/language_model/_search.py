"""The search: the end of the training text decides, the validation text reports."""

from __future__ import annotations

import dataclasses
from functools import partial
from pathlib import Path

import torch

from regularizers.recipes._finished import METRICS, finished
from regularizers.recipes._run import resumable
from regularizers.recipes._run_folder import RunFolder
from regularizers.recipes.language_model._config import Config
from regularizers.recipes.language_model._corpus import Corpus, Part
from regularizers.recipes.language_model._network import LanguageModel
from regularizers.recipes.language_model._strengths import OFF, STRENGTHS, TRIALS
from regularizers.recipes.language_model._training import Learned, train
from regularizers.recipes.language_model._variants import Variant
from regularizers.recipes.language_model.saved import save
from regularizers.recipes.search import Plan, Values, command_with, find, named

INNER = 0.1
"""The share of the training text, at its end, by which trials are compared."""
FOUND, WITHOUT = "found", "without"
"""The networks that a search leaves."""


def search(recipe: str, config: Config, folder: RunFolder, corpus: Corpus) -> None:
    """Find the strengths, measure networks with and without them, and print a summary."""
    chosen = {strength.name: strength for strength in STRENGTHS}
    plan = Plan(
        strengths=tuple(chosen[name] for name in config.search),
        trials=config.trials or TRIALS,
        seeds=tuple(config.all_seeds()),
        seed=config.seed,
        score="perplexity",
        inner=_Inner(config, folder, corpus),
        outer=_Outer(config, folder, corpus),
        higher=False,
    )
    print(
        f"Search for {', '.join(config.search)}: {plan.trials} trials by the last {INNER:.0%} of "
        f"the training text, {len(plan.seeds)} seeds each",
        flush=True,
    )
    with resumable(recipe, folder):
        find(plan, folder, corpus.name, partial(command_with, recipe, config))


def without_end(corpus: Corpus) -> Corpus:
    """Return the training text alone, its end for validation; what validates or tests is gone."""
    tokens = corpus.training.tokens
    cut = len(tokens) - max(round(INNER * len(tokens)), 2)
    training, validation = [
        Part.of(some, corpus.vocabulary) for some in (tokens[:cut], tokens[cut:])
    ]
    return dataclasses.replace(corpus, training=training, validation=validation, test=None)


def variant_of(config: Config, values: Values) -> tuple[Variant, Config]:
    """Return what is trained with strengths: AR and TAR only if they are searched."""
    settings = {n.replace("-", "_"): v for n, v in values.items() if n not in OFF}
    given = dataclasses.replace(config, **settings)  # type: ignore[arg-type]
    alpha, beta = values.get("ar", 0.0), values.get("tar", 0.0)
    return Variant(named(values), dropped=True, alpha=alpha, beta=beta), given


class _Inner:
    """Scores a trial by the end of the training text."""

    def __init__(self, config: Config, folder: RunFolder, corpus: Corpus) -> None:
        self._config, self._folder, self._corpus = config, folder, without_end(corpus)

    def __call__(self, values: Values, seed: int) -> float:
        name = named(values).replace(", ", "-").replace(" ", "-")
        checkpoint = f"checkpoints/search-{name}-{seed}.ckpt"
        path = self._folder.path / checkpoint
        _, learned = _trained(self._config, self._corpus, values, seed, path)
        self._folder.remove(checkpoint)
        return learned.epochs[-1].perplexity


class _Outer:
    """Scores strengths by the validation text, and keeps the networks and their figures."""

    def __init__(self, config: Config, folder: RunFolder, corpus: Corpus) -> None:
        self._config, self._folder, self._corpus = config, folder, corpus
        networks = {
            f"{kind}-{seed}": (kind, str(seed))
            for kind in (WITHOUT, FOUND)
            for seed in config.all_seeds()
        }
        self._kept = finished(folder, Learned, networks, config.from_scratch)

    def __call__(self, values: Values, seed: int) -> float:
        kind = FOUND if any(values.values()) else WITHOUT
        of_kind = self._kept.setdefault(kind, {})
        if str(seed) not in of_kind:
            of_kind[str(seed)] = self._train(values, seed, kind)
            self._folder.write_json(METRICS, self._kept)
            self._folder.remove(f"checkpoints/{kind}-{seed}.ckpt")
        return of_kind[str(seed)].epochs[-1].perplexity

    def _train(self, values: Values, seed: int, kind: str) -> Learned:
        path, corpus = self._folder.path, self._corpus
        checkpoint = path / "checkpoints" / f"{kind}-{seed}.ckpt"
        network, learned = _trained(self._config, corpus, values, seed, checkpoint)
        variant, given = variant_of(self._config, values)
        save(
            path / "networks" / f"{kind}-{seed}.safetensors",
            network,
            variant.dropouts(given),
            corpus.vocabulary,
            variant=variant.name,
            seed=seed,
            data=corpus.name,
        )
        return learned


def _trained(
    config: Config, corpus: Corpus, values: Values, seed: int, checkpoint: Path
) -> tuple[LanguageModel, Learned]:
    variant, given = variant_of(config, values)
    shape = given.shape
    torch.manual_seed(seed)
    network = LanguageModel(
        len(corpus.vocabulary),
        shape.embedding,
        shape.hidden,
        shape.layers,
        variant.dropouts(given),
    )
    return network, train(network, variant, corpus, given, seed, checkpoint)
