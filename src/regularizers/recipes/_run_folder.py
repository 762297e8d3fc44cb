"""The folder of a run, written atomically and resumable."""

from __future__ import annotations

import gc
import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import chain, count
from pathlib import Path
from typing import Any, TypeVar

import filelock
import msgspec

from regularizers._written import not_written, remove_drafts, written
from regularizers.errors import RunFolderError
from regularizers.recipes._decoded import decoded

T = TypeVar("T")

CONFIG = "config.json"
FORMAT = 1
"""The format of run folders; counts up when an older reader would read them wrongly."""

_LOCK = ".lock"


@dataclass(frozen=True)
class _OfFolder:
    """What a run folder says of itself; an earlier version did not."""

    format: int = FORMAT
    recipe: str = ""
    data_digest: str = ""


class RunFolder:
    """A folder with the settings, results and checkpoints of one run.

    While one is in use that `create` or `reopen` returned, no other process can reopen the folder.
    The system ends that when the process ends, in whichever way.

    Args:
        path: the folder.
        lock: what keeps other processes from writing to it; None for reading only.
    """

    def __init__(self, path: Path, lock: filelock.BaseFileLock | None = None) -> None:
        self.path = path
        # released when nothing refers to it any more
        self._lock = lock

    @classmethod
    def create(cls, parent: Path, recipe: str) -> RunFolder:
        """Create a folder under `parent`, named after the recipe and the time.

        Raises:
            RunFolderError: it cannot be made.
        """
        name = f"{recipe.split()[-1]}-{datetime.now().strftime('%Y%m%d-%H%M%S')}"
        try:
            parent.mkdir(parents=True, exist_ok=True)
            path = _made(parent / name)
        except OSError as error:
            raise RunFolderError(
                f"runs: expected a folder that can be written, got {str(parent)!r} "
                f"({error.strerror}); choose another with --runs FOLDER"
            ) from None
        return cls(path, _locked(path))

    @classmethod
    def open(cls, path: Path) -> RunFolder:
        """Return the folder of an earlier run, for reading only.

        Raises:
            RunFolderError: it is none, or it cannot be read.
        """
        try:
            found = (path / CONFIG).is_file()
        except OSError as error:
            raise RunFolderError(
                f"{path}: cannot be read ({error.strerror}); make it readable"
            ) from None
        if not found:
            got = "a file" if path.is_file() else "a folder without" if path.is_dir() else "nothing"
            raise RunFolderError(
                f"expected the folder of an earlier run, with a {CONFIG} in it, "
                f"got {str(path)!r} ({got}); the last line of a run names its folder"
            )
        return cls(path)

    @classmethod
    def reopen(cls, path: Path, *, locked: bool = True) -> RunFolder:
        """Return the folder of an earlier run, to go on with.

        Args:
            path: the folder.
            locked: whether to keep other processes out; False in one that joins another's run.

        Raises:
            RunFolderError: it is none, it cannot be written, or another process writes to it.
        """
        try:
            folder = cls.open(path)
        except RunFolderError as error:
            raise RunFolderError(f"resume: {error}") from None
        if locked:
            folder._lock = _locked(path)
            remove_drafts(path)
        return folder

    @contextmanager
    def written(self, name: str) -> Iterator[Path]:
        """Give a path to write to, which becomes the file `name` when the block ends well.

        Raises:
            RunFolderError: it cannot be written.
        """
        with written(self.path / name) as draft:
            yield draft

    def write_json(self, name: str, content: Any) -> None:
        """Write `content`, of plain values and dataclasses, to the file `name`, atomically."""
        plain = msgspec.to_builtins(content, str_keys=True)
        self.write_text(name, json.dumps(plain, indent=2) + "\n")

    def write_text(self, name: str, content: str) -> None:
        """Write `content` to the file `name`, atomically."""
        with self.written(name) as draft:
            draft.write_text(content, encoding="utf-8")

    def remove(self, name: str) -> None:
        """Remove the file `name`, if there is one.

        Raises:
            RunFolderError: it cannot be removed.
        """
        path = self.path / name
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise not_written(path, error) from None

    def read_json(self, name: str) -> Any:
        """Return the content of `name`; an empty dictionary if there is no such file.

        Raises:
            RunFolderError: the file cannot be read, or is no JSON.
        """
        path = self.path / name
        cure = cure_of(name)
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise RunFolderError(f"{path}: cannot be read ({error.strerror}); {cure}") from None
        except (ValueError, RecursionError) as error:
            size = path.stat().st_size
            got = f"a damaged file of {size} bytes ({error})" if size else "an empty file"
            raise RunFolderError(f"{path}: expected JSON, got {got}; {cure}") from None

    def config(self) -> dict[str, Any]:
        """Return what `config.json` holds: the settings of the run, its recipe, its data.

        Raises:
            RunFolderError: the file is damaged, or of a newer version.
        """
        path = self.path / CONFIG
        config = self.read_json(CONFIG)
        if not isinstance(config, dict):
            raise RunFolderError(
                f"{path}: expected the settings of a run, got {type(config).__name__}; "
                f"{cure_of(CONFIG)}"
            )
        known = decoded(config, _OfFolder, path, cure_of(CONFIG))
        if known.format > FORMAT:
            raise RunFolderError(
                f"{path}: expected format {FORMAT} or less, got {known.format}: it was written by "
                f"a newer version; update with: pip install --upgrade regularizers"
            )
        return config

    def read(self, name: str, kind: type[T], empty: T) -> T:
        """Return the content of `name`, checked against a type; `empty` if there is no such file.

        Raises:
            RunFolderError: the file cannot be read, or its content is not of this type.
        """
        if not (self.path / name).exists():
            return empty
        return decoded(self.read_json(name), kind, self.path / name, cure_of(name))


def cure_of(name: str) -> str:
    """Return what to do about a file of a run folder that cannot be used."""
    if name == CONFIG:
        return "mend it, or start a new run"
    return "delete it, and --resume makes it anew"


def _made(path: Path) -> Path:
    """Make a folder that was not there, numbered if need be, and return it."""
    for name in chain([path], (path.with_name(f"{path.name}-{n}") for n in count(2))):
        with suppress(FileExistsError):
            name.mkdir()
            break
    return name


def _locked(path: Path) -> filelock.BaseFileLock:
    """Keep other processes from writing to a folder, until the result is released."""
    lock = filelock.FileLock(path / _LOCK, thread_local=False)
    try:
        with suppress(filelock.Timeout):
            lock.acquire(blocking=False)
        if not lock.is_locked:
            # a run of this process that has ended may wait in a circle of references
            gc.collect()
            lock.acquire(blocking=False)
    except filelock.Timeout:
        raise RunFolderError(
            f"resume: expected a folder that no other process writes to, got {str(path)!r}, whose "
            f"run is going on; wait for it, or stop it first"
        ) from None
    except OSError as error:
        raise RunFolderError(
            f"resume: expected a folder that can be written, got {str(path)!r} "
            f"({error.strerror}); make it writable, or copy it"
        ) from None
    return lock
