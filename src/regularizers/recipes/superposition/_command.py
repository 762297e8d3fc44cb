"""The command: from a configuration to a table, a picture and a run folder."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from regularizers.recipes._jobs import run_tasks
from regularizers.recipes._progress import duration
from regularizers.recipes._run import check_from_scratch, open_run, reopen, resumable
from regularizers.recipes._run_folder import RunFolder
from regularizers.recipes._training import one_thread
from regularizers.recipes.superposition import _saelens as saelens
from regularizers.recipes.superposition._config import Config
from regularizers.recipes.superposition._figures import Figures
from regularizers.recipes.superposition._ours import train_ours
from regularizers.recipes.superposition._picture import draw
from regularizers.recipes.superposition._rows import best_rows
from regularizers.recipes.superposition._table import results_table
from regularizers.recipes.superposition._theirs import train_theirs
from regularizers.recipes.superposition._trainings import (
    OURS,
    Training,
    described,
    digest_of,
    trainings_of,
)

RECIPE = "sparse-autoencoder superposition"


def run(config: Config) -> None:
    """Train the autoencoders, compare them with the truth, write the run folder, print a table."""
    folder, config = reopen(RECIPE, config)
    if config.against is not None:
        saelens.check_installed()
    trainings = trainings_of(config)
    with one_thread():
        lines, digest = described(trainings), digest_of(trainings)
    folder = open_run(RECIPE, folder, config, ", ".join(config.problems), digest)
    beside = "" if config.against is None else f", beside SAELens {saelens.version()}"
    print("\n".join([*lines, f"{len(trainings)} trainings{beside}"]), flush=True)
    with resumable(RECIPE, folder):
        results = _train_all(config, folder, trainings)
    times = "" if config.units == 1 else f"{config.units:g} × "
    title = f"Sparse codes against the truth, {times}as many latents as features{beside}"
    with folder.written("picture.png") as path:
        draw(best_rows(results), title, path)
    text = results_table(results)
    folder.write_text("table.txt", text + "\n")
    print(f"\n{text}\n")
    print(
        f"The table (table.txt), the picture (picture.png) and the figures of each training "
        f"(metrics.json) are in {folder.path}"
    )


def _train_all(
    config: Config, folder: RunFolder, trainings: list[Training]
) -> dict[Training, Figures | None]:
    """Run the trainings that the run folder lacks, and save the figures of each."""
    kept = _read(folder, trainings)
    if config.from_scratch:
        check_from_scratch(config.from_scratch, [str(one) for one in trainings])
        kept = {one: kept[one] for one in kept if str(one) not in config.from_scratch}
        _write(folder, kept)
    tasks = [one for one in trainings if one not in kept]
    begin = time.monotonic()
    for count, (training, figures) in enumerate(run_tasks(_train_one, tasks, config.jobs), 1):
        kept[training] = figures
        # in the order of the table, not of completion
        kept = {one: kept[one] for one in trainings if one in kept}
        _write(folder, kept)
        left = (time.monotonic() - begin) / count * (len(tasks) - count)
        print(
            f"{training}: {_summary(figures)} ({count} of {len(tasks)} trainings"
            + (f", about {duration(left)} left)" if left else ")"),
            flush=True,
        )
        for said in figures.warnings if figures is not None else ():
            print(f"  {said}", flush=True)
    return kept


def _train_one(training: Training) -> Figures | None:
    with one_thread():
        return train_ours(training) if training.library == OURS else train_theirs(training)


def _summary(figures: Figures | None) -> str:
    if figures is None:
        return "weights not finite in the end"
    return (
        f"L0 {figures.l0:.2f}, EV {figures.explained_variance:.3f}, F1 {figures.f1:.3f}, "
        f"MCC {figures.mcc:.3f}, {figures.dead} dead, {figures.seconds:.0f} s"
    )


@dataclass(frozen=True)
class _Record:
    """A training as metrics.json has it."""

    problem: str
    seed: int
    library: str
    architecture: str
    learning_rate: float
    figures: Figures | None


def _write(folder: RunFolder, kept: dict[Training, Figures | None]) -> None:
    records = [_Record(**one.key(), figures=figures) for one, figures in kept.items()]
    folder.write_json("metrics.json", records)


def _read(folder: RunFolder, trainings: list[Training]) -> dict[Training, Figures | None]:
    """Return what the run folder has of these trainings, in their order."""
    records = folder.read("metrics.json", list[_Record], [])
    return {
        training: record.figures
        for training in trainings
        for record in records
        if replace(record, figures=None) == _Record(**training.key(), figures=None)
    }
