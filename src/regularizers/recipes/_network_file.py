"""Files of networks: tensors, and beside them all that is needed to use them, in safetensors."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from regularizers._written import written
from regularizers.errors import RunFolderError

_KEY = "regularizers"
_FOLDER = "networks"


def network_path(run: Path, name: str) -> Path:
    """Return the file of a network in the folder of a run."""
    return run / _FOLDER / f"{name}.safetensors"


def found_network(run: Path, name: str) -> Path:
    """Return the file of a network that the folder of a run holds.

    Raises:
        RunFolderError: it holds none of that name.
    """
    check_held(run, name, sorted(path.stem for path in (run / _FOLDER).glob("*.safetensors")))
    return network_path(run, name)


def check_held(run: Path, name: str, held: Sequence[str]) -> None:
    """Raise a `RunFolderError` unless a run holds the network `name`."""
    if name not in held:
        raise RunFolderError(
            f"{run}: expected a network that it holds, {', '.join(held) or 'none yet'}, got "
            f"{name!r}; choose one of them with --network NAME, or finish the run with --resume "
            f"{run}"
        )


def write_network(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, Any]) -> None:
    """Write tensors and metadata of JSON's types, whole or not at all.

    The metadata of safetensors are texts; here it is one, in JSON, called `regularizers`: several
    would be written in an order that differs from run to run.
    """
    contiguous = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    with written(path) as draft:
        draft.write_bytes(save(contiguous, {_KEY: json.dumps(metadata)}))


def read_network(path: Path, needed: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the tensors and the metadata of a file.

    Args:
        path: the file.
        needed: an entry of the metadata without which the file is of an earlier version.

    Raises:
        RunFolderError: the file is missing or damaged, or lacks that entry.
    """
    if not path.is_file():
        raise RunFolderError(
            f"{path}: expected the file of a trained network, found nothing; finish the run with "
            f"--resume {path.parent}, or begin another"
        )
    try:
        with safe_open(path, framework="pt") as file:
            metadata = json.loads((file.metadata() or {}).get(_KEY, "{}"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError) as error:
        raise RunFolderError(
            f"{path}: expected a file of safetensors, got one that is damaged ({error}); copy it "
            f"again, or train the network again"
        ) from None
    if not isinstance(metadata, dict) or needed not in metadata:
        raise RunFolderError(
            f"{path}: expected a network with the scaling and the names of what it reads, got one "
            f"of an earlier version, which did not keep them; train it again"
        )
    return tensors, metadata
