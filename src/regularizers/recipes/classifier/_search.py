"""The search: inner parts of the training samples decide, the validation samples report."""

from __future__ import annotations

import dataclasses
import math
from functools import partial

from regularizers.errors import ConfigurationError
from regularizers.recipes._run import resumable
from regularizers.recipes._run_folder import RunFolder
from regularizers.recipes._training import one_thread
from regularizers.recipes.classifier._config import Config
from regularizers.recipes.classifier._data import Data
from regularizers.recipes.classifier._methods import combined
from regularizers.recipes.classifier._metrics import Metrics, measure
from regularizers.recipes.classifier._parts import Parts, parts, training_alone
from regularizers.recipes.classifier._strengths import STRENGTHS, TRIALS
from regularizers.recipes.classifier._training import trained
from regularizers.recipes.classifier.saved import save
from regularizers.recipes.search import Plan, Values, checkpoint_of, command_with, find
from regularizers.recipes.search.outer import Outer

INNER = 0.3
"""The share of the training samples by which trials are compared, drawn anew for each seed."""


def search(recipe: str, config: Config, folder: RunFolder, data: Data) -> None:
    """Find the strengths, measure networks with and without them, and print a summary."""
    chosen = {strength.name: strength for strength in STRENGTHS}
    plan = Plan(
        strengths=tuple(chosen[name] for name in config.search),
        trials=config.trials or TRIALS,
        seeds=tuple(config.all_seeds()),
        seed=config.seed,
        score="accuracy",
        unit=" %",
        inner=_Inner(config, folder, data),
        outer=Outer(
            folder,
            Metrics,
            seeds=config.all_seeds(),
            from_scratch=config.from_scratch,
            train=partial(_train_outer, config, folder, data),
            score=lambda metrics: 100 * metrics.validation_accuracy,
        ),
    )
    print(
        f"Search for {', '.join(config.search)}: {plan.trials} trials on {INNER:.0%} of the "
        f"training samples, drawn anew for each of {len(plan.seeds)} seeds",
        flush=True,
    )
    title = f"{data.labelled.samples.name}, {config.network}: {len(plan.seeds)} seeds a trial"
    with resumable(recipe, folder), one_thread():
        find(plan, folder, title, partial(_command, recipe, config))


def _command(recipe: str, config: Config, values: Values) -> str:
    if len(values) > 1:
        config = dataclasses.replace(config, together=tuple(values))
    return command_with(recipe, config, values)


class _Inner:
    """Scores a trial by samples that are for training."""

    def __init__(self, config: Config, folder: RunFolder, data: Data) -> None:
        # what validates or tests is not there to be seen
        self._data = training_alone(data, config)
        self._config = dataclasses.replace(config, validation=INNER, train=None)
        self._wanted = config.train
        self._folder = folder
        self._parts: dict[int, Parts] = {}

    def __call__(self, values: Values, seed: int) -> float:
        if seed not in self._parts:
            self._parts[seed] = self._parts_of(seed)
        of_seed, method = self._parts[seed], combined(self._config, values)
        name = checkpoint_of(values, seed)
        try:
            network, _ = trained(of_seed, method, self._config, seed, self._folder.path / name)
        except ConfigurationError:
            accuracy = math.nan  # it diverged, which is a bad trial and no end of the search
        else:
            accuracy = 100 * measure(network, of_seed).validation_accuracy
        self._folder.remove(name)
        return accuracy

    def _parts_of(self, seed: int) -> Parts:
        config = dataclasses.replace(self._config, seed=seed)
        whole = parts(self._data, config, seed)
        if self._wanted is None or self._wanted >= len(whole.training.x):
            return whole
        # as many as the networks have that will use the strengths
        return parts(self._data, dataclasses.replace(config, train=self._wanted), seed)


def _train_outer(
    config: Config, folder: RunFolder, data: Data, values: Values, seed: int, name: str
) -> Metrics:
    of_seed, method = parts(data, config, seed), combined(config, values)
    checkpoint = folder.path / "checkpoints" / f"{name}.ckpt"
    network, arguments = trained(of_seed, method, config, seed, checkpoint)
    save(folder, name, network, arguments, of_seed)
    return measure(network, of_seed)
