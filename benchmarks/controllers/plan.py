"""The trainings that are compared, and their runs."""

from __future__ import annotations

import dataclasses
import itertools
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.controllers.training import Run, train

# runs are planned and kept as those of recipes are
from regularizers.recipes._jobs import run_tasks
from regularizers.recipes._run_folder import RunFolder

TARGETS = (5, 10, 20)
INITIAL = (1e-6, 1e-3, 1.0)
SEEDS = (0, 1, 2)
CONSTANTS = tuple([1.5e-3 * 50 ** (k / 9) for k in range(10)])
"""From 1.5e-3 to 7.5e-2, each 1.5 times the one before, so all targets lie within."""


def runs(data: Sequence[str]) -> list[Run]:
    """Return all trainings."""
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
    return [*controlled, *constants, *changed, *unannealed]


Results = dict[Run, dict[str, Any]]


def measured(todo: Sequence[Run], kept: Path, jobs: int = 2) -> Results:
    """Return the results of all trainings; those in the file `kept` are not run again."""
    results: Results = {}
    if kept.is_file():
        results = {Run(**run): result for run, result in json.loads(kept.read_text())}
    missing = [run for run in todo if run not in results]
    folder = RunFolder(kept.parent)
    for number, (run, result) in enumerate(run_tasks(train, missing, jobs), start=1):
        results[run] = result
        folder.write_text(
            kept.name, json.dumps([[dataclasses.asdict(r), v] for r, v in results.items()])
        )
        print(f"\r{number} of {len(missing)} networks", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return results
