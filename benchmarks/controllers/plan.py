"""The trainings that are compared, and their runs."""

from __future__ import annotations

import dataclasses
import itertools
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.controllers.classifier import Classifier, classify
from benchmarks.controllers.training import Run, samples, train

# runs are planned and kept as those of recipes are
from regularizers.recipes._jobs import run_tasks
from regularizers.recipes._run_folder import RunFolder

TARGETS = (5, 10, 20)
INITIAL = (1e-6, 1e-3, 1.0)
SEEDS = (0, 1, 2)
CONSTANTS = tuple([1.5e-3 * 50 ** (k / 9) for k in range(10)])
"""From 1.5e-3 to 7.5e-2, each 1.5 times the one before, so all targets lie within."""


HELD = Run("", target=90, at_most=True, threshold=0.5)
"""An inequality that holds by itself: 31 and 76 of 100 units exceed 0.5 without a penalty."""
LOSSES = (0.15, 0.2, 0.3)
"""Targets of an autoencoder's loss, as shares of the variance of its data."""
ZEROS = 0.9
KERNEL_CONSTANTS = tuple([6e-5 * 50 ** (k / 9) for k in range(10)])
"""From 6e-5 to 3e-3, so that zeros are about 50% to 99% of the kernels."""
CLASSIFIER_LOSS = 0.1

Task = Run | Classifier
Results = dict[Any, dict[str, Any]]
KINDS: dict[str, tuple[type[Task], Callable[[Any], dict[str, Any]]]] = {
    "Run": (Run, train),
    "Classifier": (Classifier, classify),
}


def runs(data: Sequence[str]) -> list[Task]:
    """Return all trainings."""
    return [*new_targets(data), *active(data)]


def active(data: Sequence[str]) -> list[Task]:
    """Return the trainings with a fixed number of active units, and constants beside them."""
    controlled = [
        Run(d, target=t, initial=i, seed=s)
        for d, t, i, s in itertools.product(data, TARGETS, INITIAL, SEEDS)
    ]
    constants = [
        Run(d, constant=c, seed=s, revive=r)
        for d, c, s, r in itertools.product(data, CONSTANTS, SEEDS, (True, False))
    ]
    of = [Run(d, target=10, seed=s) for d, s in itertools.product(data, SEEDS)]
    replace = dataclasses.replace
    changed = [replace(run, batch=b) for run in of for b in (32, 512)]
    changed += [replace(run, times=1000.0) for run in of]
    unannealed = [replace(run, target=t, anneal=False) for run in of for t in TARGETS]
    return [*controlled, *changed, *unannealed, *constants]


def new_targets(data: Sequence[str]) -> list[Task]:
    """Return the trainings with a target that moves, an inequality, zeros, or the loss."""
    found: list[Task] = []
    for d, s in itertools.product(data, SEEDS):
        found += [unpenalised(d, s), Run(d, target=10, start=80, seed=s)]
        found += [Run(d, target=10, at_most=True, seed=s), held(d, s)]
        found += [of_loss(d, share, s) for share in LOSSES]
        found += [classified_loss(d, s), Classifier(d, zeros=ZEROS, seed=s)]
        found += [Classifier(d, constant=c, seed=s) for c in (0.0, *KERNEL_CONSTANTS)]
    return found


def unpenalised(data: str, seed: int) -> Run:
    return Run(data, constant=0.0, seed=seed)


def held(data: str, seed: int) -> Run:
    return dataclasses.replace(HELD, data=data, seed=seed)


def of_loss(data: str, share: float, seed: int) -> Run:
    """Return the training whose loss is to be a share of the variance of the data."""
    x, _ = samples(data, 0)
    variance = x.var(dim=0, correction=0).mean().item()
    return Run(data, loss=float(f"{share * variance:.3g}"), seed=seed)


def classified_loss(data: str, seed: int) -> Classifier:
    return Classifier(data, loss=CLASSIFIER_LOSS, batch=128, seed=seed)


def measured(todo: Sequence[Task], kept: Path, jobs: int = 2) -> Results:
    """Return the results of all trainings; those in the file `kept` are not run again."""
    results: Results = {}
    if kept.is_file():
        results = {
            KINDS[kind][0](**run): result for kind, run, result in json.loads(kept.read_text())
        }
    missing = [run for run in dict.fromkeys(todo) if run not in results]
    folder = RunFolder(kept.parent)
    for number, (run, result) in enumerate(run_tasks(_train, missing, jobs), start=1):
        results[run] = result
        rows = [[type(r).__name__, dataclasses.asdict(r), v] for r, v in results.items()]
        folder.write_text(kept.name, json.dumps(rows))
        print(f"\r{number} of {len(missing)} networks", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return results


def _train(task: Task) -> dict[str, Any]:
    return KINDS[type(task).__name__][1](task)
