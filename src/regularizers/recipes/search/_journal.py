"""The journal of a search: a study of optuna in a file that outlives a killed process."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from pathlib import Path

import optuna
from optuna.storages.journal import JournalFileBackend, JournalStorage
from optuna.trial import FrozenTrial, TrialState

from regularizers.errors import RunFolderError

FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)


def open_study(path: Path, *, higher: bool, pruner: optuna.pruners.BasePruner) -> optuna.Study:
    """Return the study in a file, which is made if there is none.

    What a killed process left is put right: a last line that broke off is cut off, a lock is
    removed, and a trial that was running or waiting counts as failed, so that it is tried anew.

    Args:
        path: the file.
        higher: whether a higher score is better.
        pruner: what ends a trial early.

    Raises:
        RunFolderError: the file is no journal, or cannot be read.
    """
    for lock in path.parent.glob(f"{path.name}.lock*"):
        lock.unlink(missing_ok=True)
    try:
        _cut_broken_line(path)
        with quiet():
            study = optuna.create_study(
                storage=JournalStorage(JournalFileBackend(str(path))),
                study_name="search",
                direction="maximize" if higher else "minimize",
                pruner=pruner,
                load_if_exists=True,
            )
            for trial in study.get_trials(deepcopy=False):
                if not trial.state.is_finished():
                    _fail(study, trial)
            finished(study)
    except OSError as error:
        raise RunFolderError(f"{path}: cannot be used ({error.strerror or error})") from None
    except (ValueError, KeyError, TypeError, AttributeError, AssertionError, IndexError) as error:
        raise RunFolderError(
            f"{path}: expected the journal of a search, got a damaged file "
            f"({type(error).__name__}: {error}); begin a new search"
        ) from None
    return study


def finished(study: optuna.Study) -> list[FrozenTrial]:
    """Return the trials that ended by themselves, in their order."""
    return study.get_trials(deepcopy=False, states=FINISHED)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep optuna from logging each trial, which the search prints itself."""
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(level)


def _fail(study: optuna.Study, trial: FrozenTrial) -> None:
    # by its number: a trial that still waits can be told of no other way
    if trial.state == TrialState.WAITING:
        study.ask()
    study.tell(trial.number, state=TrialState.FAIL)


def _cut_broken_line(path: Path) -> None:
    """Cut off what a process had not finished to write; the next line would be joined to it."""
    if not path.exists():
        return
    content = path.read_bytes()
    if content and not content.endswith(b"\n"):
        whole = content[: content.rfind(b"\n") + 1]
        draft = path.with_suffix(".draft")
        draft.write_bytes(whole)
        draft.replace(path)
