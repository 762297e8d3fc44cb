"""How the runs of all recipes begin, stop and go on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from regularizers.errors import ConfigurationError, DataError
from regularizers.recipes._run_folder import RunFolder
from regularizers.recipes._settings import S, Settings, changed, from_json, to_json


def reopened(settings: S) -> tuple[RunFolder | None, S]:
    """Return the folder to go on with and its settings; no folder where a new run begins.

    Raises:
        RegularizersError: a setting it cannot have, a setting beside `resume`, or no such folder.
    """
    settings.check()
    if settings.resume is None:
        return None, settings
    if others := changed(settings):
        raise ConfigurationError(
            f"resume: expected no other setting, since the run knows its own, "
            f"got {', '.join(others)}"
        )
    folder = RunFolder.reopen(settings.resume)
    return folder, from_json(type(settings), folder.read_json("config.json"))


def begun(
    recipe: str, folder: RunFolder | None, settings: Settings, data: str, digest: str
) -> RunFolder:
    """Return the folder of the run, made if it is new.

    Args:
        recipe: the name of the recipe on the command line.
        folder: the one to go on with, if any.
        settings: of the run.
        data: what the data are called.
        digest: the fingerprint by which a resumed run knows its data.

    Raises:
        DataError: the run began with other data.
        RunFolderError: a new folder cannot be made.
    """
    if folder is None:
        folder = RunFolder.create(settings.runs, recipe)
        folder.write_json("config.json", to_json(settings) | {"data_digest": digest})
    elif folder.read_json("config.json").get("data_digest") != digest:
        raise DataError(f"resume: {data} is not the data this run began with")
    return folder


@contextmanager
def resumable(recipe: str, folder: RunFolder) -> Iterator[None]:
    """Say how to go on, if the user stops what is done within."""
    try:
        yield
    except KeyboardInterrupt:
        print(f"\nInterrupted. Go on with: regularizers {recipe} --resume {folder.path}")
        raise
