"""The folder of a run, written atomically and resumable."""

from __future__ import annotations

import json
import os
from datetime import datetime
from pathlib import Path
from typing import Any

from regularizers.errors import RunFolderError


class RunFolder:
    """A folder with the settings, results and checkpoints of one run."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def create(cls, parent: Path, recipe: str) -> RunFolder:
        """Create a folder under `parent`, named after the recipe and the time.

        Raises:
            RunFolderError: it cannot be made.
        """
        stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
        names = [f"{recipe}-{stamp}", *[f"{recipe}-{stamp}-{n}" for n in range(2, 100)]]
        try:
            parent.mkdir(parents=True, exist_ok=True)
            path = next(parent / name for name in names if not (parent / name).exists())
            path.mkdir()
        except OSError as error:
            raise RunFolderError(
                f"runs: expected a folder that can be written, got {str(parent)!r} "
                f"({error.strerror}); choose another with --runs FOLDER"
            ) from None
        return cls(path)

    @classmethod
    def reopen(cls, path: Path) -> RunFolder:
        """Return the folder of an earlier run.

        Raises:
            RunFolderError: it is none, or it cannot be written.
        """
        if not (path / "config.json").is_file():
            raise RunFolderError(
                f"resume: expected the folder of an earlier run, with a config.json in it, "
                f"got {str(path)!r}"
            )
        if not os.access(path, os.W_OK):
            raise RunFolderError(
                f"resume: expected a folder that can be written, got {str(path)!r}"
            )
        return cls(path)

    def write_json(self, name: str, content: Any) -> None:
        """Write `content` to the file `name`, atomically."""
        self.write_text(name, json.dumps(content, indent=2) + "\n")

    def write_text(self, name: str, content: str) -> None:
        """Write `content` to the file `name`, atomically."""
        path = self.path / name
        draft = path.with_suffix(".draft")
        draft.write_text(content, encoding="utf-8")
        draft.replace(path)

    def read_json(self, name: str) -> Any:
        """Return the content of `name`; an empty dictionary if there is no such file.

        Raises:
            RunFolderError: the file is no JSON.
        """
        path = self.path / name
        if not path.is_file():
            return {}
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise RunFolderError(f"{path}: expected JSON ({error}); start a new run") from None
