"""The trainings of all sweeps, and the file in which each is kept once it is done."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from benchmarks.choosing import text
from benchmarks.choosing.data import NAMES, data_of
from benchmarks.choosing.sweeps import SWEEPS
from benchmarks.choosing.training import Figures, trained

SEEDS = (0, 1, 2)
TEXT = "Python's documentation"


class Run(NamedTuple):
    """One training; a strength of 0 is without a penalty."""

    sweep: str
    data: str
    strength: float
    seed: int


Results = dict[Run, Figures]
ALL = (*SWEEPS, *text.SWEEPS)


def runs(seeds: Sequence[int] = SEEDS, names: Sequence[str] = ALL) -> list[Run]:
    """Return the trainings of sweeps, those without a penalty once for each network.

    Raises:
        SystemExit: a name is none of a sweep.
    """
    if unknown := [name for name in names if name not in ALL]:
        raise SystemExit(f"expected some of {', '.join(ALL)}, got {', '.join(unknown)}")
    found = [
        Run(name, data, strength, seed)
        for seed in seeds
        for name, sweep in SWEEPS.items()
        for data in NAMES
        for strength in (0.0, *sweep.strengths)
        if name in names
    ]
    found += [
        Run(name, TEXT, strength, seed)
        for seed in seeds
        for name, strengths in text.SWEEPS.items()
        for strength in (0.0, *strengths)
        if name in names
    ]
    return [*dict.fromkeys(canonical(run) for run in found)]


def canonical(run: Run) -> Run:
    """Return the run that stands for this one: without a penalty sweeps of a network are one."""
    if run.strength:
        return run
    if run.data == TEXT:
        return run._replace(sweep="AR")
    network = SWEEPS[run.sweep].network
    first = next(name for name, sweep in SWEEPS.items() if sweep.network == network)
    return run._replace(sweep=first)


def read(kept: Path) -> Results:
    """Return the results in a file of JSON lines; a last line that broke off is left out."""
    if not kept.is_file():
        return {}
    lines = kept.read_text(encoding="utf-8").split("\n")[:-1]
    return {Run(*json.loads(line)[0]): json.loads(line)[1] for line in lines}


def measured(todo: Sequence[Run], kept: Path, mnist: Path | None) -> Results:
    """Return the results of all trainings; those in the file `kept` are not run again."""
    torch.set_num_threads(1)
    results = read(kept)
    kept.parent.mkdir(exist_ok=True)
    whole = "".join(json.dumps([run, figures]) + "\n" for run, figures in results.items())
    kept.write_text(whole, encoding="utf-8")
    missing = [run for run in todo if run not in results]
    with kept.open("a", encoding="utf-8") as file:
        for number, run in enumerate(missing, start=1):
            results[run] = _train(run, mnist)
            file.write(json.dumps([run, results[run]]) + "\n")
            file.flush()
            print(f"\r{number} of {len(missing)} networks", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return {run: results[run] for run in todo}


def _train(run: Run, mnist: Path | None) -> Figures:
    if run.data == TEXT:
        return text.trained(run.sweep, run.strength, run.seed)
    return trained(data_of(run.data, mnist, run.seed), run.sweep, run.strength, run.seed)
