"""Files of a store: written whole or not at all, and their digests."""

from __future__ import annotations

import ctypes
import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from regularizers.modules import whole
from regularizers.sae._safetensors import safetensors
from regularizers.sae.streams._rows import Block

STORED = "stored activations"
"""What needs the library, for the message."""


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file under another name, wait until it is on the disk, and rename it."""
    draft = path.with_name(f"{path.name}.draft")
    write(draft)
    with draft.open("rb") as file:
        os.fsync(file.fileno())
    draft.replace(path)
    if os.name == "posix":  # a folder cannot be opened elsewhere
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def write_shard(path: Path, block: Block) -> None:
    """Write rows as a file in the safetensors format."""
    tensors = {name: rows.cpu().contiguous() for name, rows in block.items()}
    write_whole(path, lambda draft: safetensors(STORED).torch.save_file(tensors, draft))


def read_shard(path: Path) -> Block:
    """Return the rows of a file, mapped into memory: read from the disk where they are used."""
    with safetensors(STORED).safe_open(path, framework="pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


def digest_of_file(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_of_model(model: nn.Module) -> str:
    """Return the SHA-256 of the names, types, shapes and values of the state of a model."""
    digest = hashlib.sha256()
    for name, value in model.state_dict().items():
        if isinstance(value, Tensor):
            x = whole(value.detach()).cpu().contiguous()
            digest.update(f"{name} {x.dtype} {tuple(x.shape)}\n".encode())
            digest.update(_bytes_of(x))
    return digest.hexdigest()


def _bytes_of(x: Tensor) -> Any:
    size = x.numel() * x.element_size()
    return (ctypes.c_char * size).from_address(x.data_ptr()) if size else b""


def name_of_type(dtype: torch.dtype) -> str:
    """Return the name of a type, such as `float32`."""
    return str(dtype).removeprefix("torch.")
