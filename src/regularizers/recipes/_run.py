"""Starts, interrupts and resumes the runs of all recipes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from regularizers.errors import ConfigurationError, DataError
from regularizers.recipes._run_folder import RunFolder
from regularizers.recipes._settings import S, Settings, changed, from_json, to_json


def reopen(settings: S) -> tuple[RunFolder | None, S]:
    """Return the folder and the settings of the run to resume; None and `settings` for a new run.

    Raises:
        RegularizersError: an invalid setting, a setting beside `resume`, or a missing folder.
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
        folder.write_json(
            "config.json", {"recipe": recipe, **to_json(settings), "data_digest": digest}
        )
    elif folder.read_json("config.json").get("data_digest") != digest:
        raise DataError(f"resume: {data} is not the data this run began with")
    return folder


@contextmanager
def resumable(recipe: str, folder: RunFolder) -> Iterator[None]:
    """Print how to resume if the user interrupts the run."""
    try:
        yield
    except KeyboardInterrupt:
        print(f"\nInterrupted. Go on with: regularizers {recipe} --resume {folder.path}")
        raise
