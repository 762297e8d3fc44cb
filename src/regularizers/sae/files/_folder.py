"""Folders written whole or not at all, and files read with words for what is wrong."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch import Tensor

from regularizers._written import DRAFT
from regularizers.errors import DataError, RunFolderError
from regularizers.sae._safetensors import safetensors

CONFIG, WEIGHTS, SPARSITY = "cfg.json", "sae_weights.safetensors", "sparsity.safetensors"
OWN_CONFIG, OWN_TENSORS = "regularizers.json", "regularizers.safetensors"
FORMAT = {CONFIG, WEIGHTS, SPARSITY, OWN_CONFIG, OWN_TENSORS}


@contextmanager
def written_whole(folder: Path) -> Iterator[Path]:
    """Give an empty folder to write to, which becomes `folder` when the block ends well.

    A folder that is there already is replaced if it holds nothing but files of this format.
    """
    if folder.exists():
        _check_replaceable(folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=f"{DRAFT}{folder.name}-", dir=folder.parent))
    except OSError as error:
        raise RunFolderError(
            f"save: {folder}: the folder cannot be written: {error}; choose another"
        ) from error
    try:
        new = work / "new"
        new.mkdir()
        yield new
        for path in new.iterdir():
            _flush(path)
        _put(new, folder, old=work / "old")
    except OSError as error:
        raise RunFolderError(
            f"save: {folder}: the folder cannot be written: {error}; free some space, or choose "
            f"another"
        ) from error
    finally:
        shutil.rmtree(work, ignore_errors=True)


def write_json(path: Path, values: Mapping[str, Any]) -> None:
    """Write a JSON file."""
    path.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")


def write_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write a file of tensors."""
    library = safetensors("save: files of weights")
    try:
        library.torch.save_file({k: t.contiguous().cpu() for k, t in tensors.items()}, path)
    except library.SafetensorError as error:
        raise OSError(str(error)) from error


def read_json(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file."""
    there = _there(path)  # its DataError is a ValueError too
    try:
        values = json.loads(there.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(f"load: {path}: expected JSON, got a file that is none: {error}") from error
    if not isinstance(values, dict):
        raise DataError(f"load: {path}: expected a JSON object, got {type(values).__name__}")
    return values


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a file, on the CPU."""
    read = safetensors("load: files of weights").torch.load_file
    _there(path)
    try:
        tensors: dict[str, Tensor] = read(path)
    except Exception as error:  # safetensors' own type, which is not imported here
        raise DataError(
            f"load: {path}: expected a whole file of safetensors, got one that cannot be read: "
            f"{error}; copy or save it again"
        ) from error
    return tensors


def _there(path: Path) -> Path:
    if not path.is_file():
        found = sorted(p.name for p in path.parent.iterdir()) if path.parent.is_dir() else None
        raise DataError(
            f"load: {path.parent}: expected a folder with {path.name}, "
            + ("found no folder" if found is None else f"found {', '.join(found) or 'nothing'}")
            + "; it is another folder, or half of one: copy or save it again"
        )
    return path


def _check_replaceable(folder: Path) -> None:
    if not folder.is_dir():
        raise RunFolderError(f"save: {folder}: expected a folder, got a file; choose another name")
    others = sorted(p.name for p in folder.iterdir() if p.name not in FORMAT)
    if others:
        raise RunFolderError(
            f"save: {folder}: expected no folder, or one of a saved autoencoder, which is "
            f"replaced; this one holds {', '.join(others[:3])}; choose another"
        )


def _put(new: Path, folder: Path, old: Path) -> None:
    if folder.exists():
        folder.rename(old)
    try:
        new.rename(folder)
    except OSError:
        if old.exists():
            old.rename(folder)
        raise


def _flush(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())
