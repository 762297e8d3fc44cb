"""Starts, interrupts and resumes the runs of all recipes."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from regularizers.errors import ConfigurationError, DataError, RegularizersError, RunFolderError
from regularizers.recipes._processes import is_first
from regularizers.recipes._run_folder import CONFIG, FORMAT, RunFolder, cure_of
from regularizers.recipes._settings import S, Settings, changed, from_json, to_json


def reopen(recipe: str, settings: S) -> tuple[RunFolder | None, S]:
    """Return the folder and the settings of the run to resume; None and `settings` for a new run.

    Args:
        recipe: the name of the recipe on the command line.
        settings: what the user gave.

    Raises:
        RegularizersError: an invalid setting, a setting beside `resume`, or a folder that is
            missing, damaged, of another recipe or version, or in use.
    """
    settings.check()
    if settings.resume is None:
        if settings.from_scratch:
            raise ConfigurationError("from-scratch: expected --resume FOLDER with it, got none")
        return None, settings
    if others := changed(settings):
        raise ConfigurationError(
            f"resume: expected no other setting, since the run knows its own, "
            f"got {', '.join(others)}"
        )
    folder = RunFolder.reopen(settings.resume, locked=is_first())
    kept = settings_of(recipe, folder, type(settings))
    return folder, dataclasses.replace(kept, from_scratch=settings.from_scratch)


def settings_of(recipe: str, folder: RunFolder, kind: type[S]) -> S:
    """Return the settings of a run, from its folder.

    Raises:
        RunFolderError: they are damaged, or of another recipe or version.
    """
    config = folder.config()
    path = folder.path / CONFIG
    # a folder that an earlier version made does not say its recipe
    if (found := config.get("recipe", recipe)) != recipe:
        raise RunFolderError(
            f"resume: expected a run of {recipe}, got {str(folder.path)!r}, which is a run of "
            f"{found}; go on with: regularizers {found} --resume {folder.path}"
        )
    try:
        settings = from_json(kind, config)
        settings.check()
    except RegularizersError as error:
        raise RunFolderError(
            f"{path}: {error}; if a newer version wrote it, update regularizers, else "
            f"{cure_of(CONFIG)}"
        ) from None
    return settings


def open_run(
    recipe: str, folder: RunFolder | None, settings: Settings, data: str, digest: str
) -> RunFolder:
    """Return the folder of the run; create it for a new run.

    Args:
        recipe: the name of the recipe on the command line.
        folder: the folder of the run to resume, or None.
        settings: the settings of the run.
        data: the name of the data.
        digest: the fingerprint of the data, compared when a run is resumed.

    Raises:
        DataError: the resumed run was started with other data.
        RunFolderError: a new folder cannot be made.
    """
    if folder is None:
        folder = RunFolder.create(settings.runs, recipe)
        content: dict[str, Any] = {"format": FORMAT, "recipe": recipe, **to_json(settings)}
        try:
            folder.write_json(CONFIG, {**content, "data_digest": digest})
        except RunFolderError as error:
            raise RunFolderError(
                f"runs: {str(error).partition(';')[0]}; choose another folder with --runs FOLDER"
            ) from None
    elif folder.config().get("data_digest") != digest:
        raise DataError(f"resume: {data} is not the data this run began with")
    return folder


def check_from_scratch(names: Sequence[str], networks: Sequence[str]) -> None:
    """Raise a `ConfigurationError` unless `--from-scratch` names networks of the run."""
    for name in names:
        if name not in networks:
            raise ConfigurationError(
                f"from-scratch: expected networks of the run, {', '.join(networks)}, got {name!r}"
            )


@contextmanager
def resumable(recipe: str, folder: RunFolder) -> Iterator[None]:
    """Print how to resume if the user interrupts the run."""
    try:
        yield
    except KeyboardInterrupt:
        print(f"\nInterrupted. Go on with: regularizers {recipe} --resume {folder.path}")
        raise
