"""The search: the end of the training text decides, the validation text reports."""

from __future__ import annotations

import dataclasses
from functools import partial
from pathlib import Path

import torch

from regularizers.recipes._run import resumable
from regularizers.recipes._run_folder import RunFolder
from regularizers.recipes.language_model._config import Config
from regularizers.recipes.language_model._corpus import Corpus, Part
from regularizers.recipes.language_model._network import LanguageModel
from regularizers.recipes.language_model._strengths import OFF, STRENGTHS, TRIALS
from regularizers.recipes.language_model._training import Learned, train
from regularizers.recipes.language_model._variants import Variant
from regularizers.recipes.language_model.saved import save
from regularizers.recipes.search import Plan, Values, checkpoint_of, command_with, find, named
from regularizers.recipes.search.outer import Outer

INNER = 0.1
"""The share of the training text, at its end, by which trials are compared."""


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
        outer=Outer(
            folder,
            Learned,
            seeds=config.all_seeds(),
            from_scratch=config.from_scratch,
            train=partial(_train_outer, config, folder, corpus),
            score=lambda learned: learned.epochs[-1].perplexity,
        ),
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
        checkpoint = checkpoint_of(values, seed)
        path = self._folder.path / checkpoint
        _, learned = _trained(self._config, self._corpus, values, seed, path)
        self._folder.remove(checkpoint)
        return learned.epochs[-1].perplexity


def _train_outer(
    config: Config, folder: RunFolder, corpus: Corpus, values: Values, seed: int, name: str
) -> Learned:
    checkpoint = folder.path / "checkpoints" / f"{name}.ckpt"
    network, learned = _trained(config, corpus, values, seed, checkpoint)
    variant, given = variant_of(config, values)
    save(
        folder.path / "networks" / f"{name}.safetensors",
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
