"""The checkpoints of all trainings: whole on the disk, and nothing in them is executed."""

from __future__ import annotations

import io
import pickle
import time
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins import TorchCheckpointIO
from torch import nn

from regularizers._written import written
from regularizers.errors import RunFolderError

_KEY = "regularizers"
_FORMAT = 1
_LONG = 1.0
"""Seconds of work that are worth the wait for the disk."""


class Checkpoints(TorchCheckpointIO):
    """Reads and writes checkpoints for a `lightning.Trainer`.

    A checkpoint is written beside its place and renamed; Lightning would write it to the system's
    folder for temporary files and move it, which copies between disks. It is read with
    `weights_only=True`, after its checksums: PyTorch reads changed bytes as if they were right.

    Args:
        of: what tells the training from others, as plain values.
        cure: what the user is to do about a checkpoint that cannot be used.
    """

    def __init__(self, of: Mapping[str, Any], cure: str) -> None:
        super().__init__()
        self._of, self._cure = dict(of), cure
        self._saved = time.monotonic()

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None
    ) -> None:
        # in memory first: PyTorch's own writer aborts on a full disk
        content = io.BytesIO()
        torch.save({**checkpoint, _KEY: {"format": _FORMAT, "of": self._of}}, content)
        before, self._saved = self._saved, time.monotonic()
        with written(Path(path), durable=self._saved - before > _LONG) as draft:
            draft.write_bytes(content.getbuffer())

    def load_checkpoint(
        self, path: str | Path, map_location: Any = "cpu", weights_only: bool | None = True
    ) -> dict[str, Any]:
        """Return the content of a checkpoint of this training.

        Raises:
            RunFolderError: it is damaged, holds more than tensors and plain values, or is the
                checkpoint of another training.
        """
        checkpoint = self._read(Path(path), map_location)
        found = checkpoint.get(_KEY)
        if not isinstance(found, dict) or found.get("format") != _FORMAT:
            raise self._refused(path, "one that another program or version has written")
        of = found.get("of")
        if of != self._of:
            other = of if isinstance(of, dict) else {}
            key = next((key for key in self._of if other.get(key) != self._of[key]), None)
            raise self._refused(path, f"that of another training (another {key})")
        return checkpoint

    def _read(self, path: Path, map_location: Any) -> dict[str, Any]:
        try:
            with zipfile.ZipFile(path) as archive:
                damaged = archive.testzip()
        except (OSError, zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError):
            damaged = "all of it"
        if damaged is not None:
            raise self._refused(path, f"a damaged file ({path.stat().st_size} bytes)")
        try:
            checkpoint = torch.load(path, map_location=map_location, weights_only=True)
        except pickle.UnpicklingError:
            raise self._refused(
                path, "one that holds more than tensors and plain values, which is not executed"
            ) from None
        except Exception as error:  # of many types, as the file comes from anywhere
            raise self._refused(path, f"another file ({type(error).__name__})") from None
        if not isinstance(checkpoint, dict):
            raise self._refused(path, f"another file (of a {type(checkpoint).__name__})")
        return checkpoint

    def _refused(self, path: str | Path, got: str) -> RunFolderError:
        return RunFolderError(
            f"{path}: expected the checkpoint of this training, got {got}; {self._cure}"
        )


def shapes_of(module: nn.Module) -> dict[str, list[int]]:
    """Return the shape of each tensor of a module, which together tell it from others."""
    return {f"shape of {name}": [*value.shape] for name, value in module.state_dict().items()}
