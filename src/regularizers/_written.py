"""Files that appear whole or not at all, whatever happens while they are written."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from regularizers.errors import RunFolderError

DRAFT = ".draft-"
"""How the name of a file or folder begins that is not whole yet."""

_CURES = {
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "free some space",
    errno.EFBIG: "allow larger files",
    errno.EROFS: "make the folder writable",
    errno.EACCES: "make the folder writable",
    errno.EPERM: "make the folder writable",
    errno.EISDIR: "move what is in the way",
    errno.EEXIST: "move what is in the way",
    errno.ENOTDIR: "move what is in the way",
    errno.ENOTEMPTY: "move what is in the way",
}


@contextmanager
def written(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """Give a path to write to, which becomes `path` when the block ends well.

    The draft lies beside `path` and ends as it does. A process that is killed leaves the file as it
    was, and perhaps a draft, for which there is `remove_drafts`.

    Args:
        path: the file; its folder is made.
        durable: whether the content is on the disk before it has its name, so that a power cut
            leaves the old file or the new one.

    Raises:
        RunFolderError: it cannot be written.
    """
    # the process, since those of an interrupted run may live a moment longer
    draft = path.with_name(f"{DRAFT}{os.getpid()}-{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield draft
        if durable:
            _flush(draft)
        draft.replace(path)
        if durable:
            _flush(path.parent)
    except OSError as error:
        if isinstance(error, RunFolderError):
            raise
        raise not_written(path, error) from None
    except Exception as error:
        # in which safetensors wraps an error of the system, as text
        if type(error).__name__ != "SafetensorError":
            raise
        raise not_written(path, OSError(str(error))) from None
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)


def not_written(path: Path, error: OSError) -> RunFolderError:
    """Return the error that says that `path` cannot be written, and what to do."""
    cure = _CURES.get(error.errno or 0, "look at the disk")
    return RunFolderError(
        f"{path}: cannot be written ({error.strerror or error}); {cure}, then go on with --resume"
    )


def remove_drafts(folder: Path) -> None:
    """Remove the files and folders that killed processes began to write within a folder."""
    for draft in [*folder.rglob(f"{DRAFT}*")]:
        with suppress(OSError):
            shutil.rmtree(draft) if draft.is_dir() else draft.unlink()


def _flush(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    if os.name == "nt" and path.is_dir():
        return  # Windows opens no folder
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
