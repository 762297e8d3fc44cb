"""What a run has finished: the figures in metrics.json, and the networks that they are of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from safetensors import safe_open

from regularizers.errors import RunFolderError
from regularizers.recipes._run import check_from_scratch
from regularizers.recipes._run_folder import RunFolder

R = TypeVar("R")

METRICS = "metrics.json"


def finished(
    folder: RunFolder,
    kind: type[R],
    networks: Mapping[str, tuple[str, str]],
    from_scratch: Sequence[str],
) -> dict[str, dict[str, R]]:
    """Return the figures of the networks that a run has finished, by variant and seed.

    Args:
        folder: the folder of the run, with `networks/NAME.safetensors`, `checkpoints/NAME.ckpt`.
        kind: the dataclass of the figures of a network.
        networks: for the name of each network of the run, its variant and its seed.
        from_scratch: the networks to train anew, whose figures and checkpoints are removed.

    Raises:
        ConfigurationError: a name in `from_scratch` that is none of the networks.
        RunFolderError: metrics.json is damaged, or a network that it names is missing or damaged.
    """
    check_from_scratch(from_scratch, list(networks))
    kept: dict[str, dict[str, R]] = folder.read(METRICS, dict[str, dict[str, kind]], {})  # type: ignore[valid-type]
    for name in from_scratch:
        variant, seed = networks[name]
        kept.get(variant, {}).pop(seed, None)
    if from_scratch:
        # before the checkpoints: if the process is killed here, the networks are still missing
        folder.write_json(METRICS, kept)
    for name in from_scratch:
        folder.remove(f"checkpoints/{name}.ckpt")
    for name, (variant, seed) in networks.items():
        if seed in kept.get(variant, {}):
            check_weights(folder.path / "networks" / f"{name}.safetensors", anew(folder, name))
    return kept


def check_weights(path: Path, cure: str) -> None:
    """Raise a `RunFolderError` unless `path` is a whole file of safetensors."""
    if not path.is_file():
        raise RunFolderError(f"{path}: expected the network that was saved, found none; {cure}")
    try:
        with safe_open(path, framework="pt"):
            pass
    except Exception as error:  # safetensors' own type and others, as the file may be anything
        raise RunFolderError(
            f"{path}: expected the network that was saved, got a damaged file ({error}); {cure}"
        ) from None


def anew(folder: RunFolder | Path, name: str) -> str:
    """Return what to do about a network that cannot be used."""
    path = folder if isinstance(folder, Path) else folder.path
    return f"train it anew: --resume {path} --from-scratch {name}"
