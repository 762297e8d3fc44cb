"""The networks of a run: how they are saved, and how they are read from its folder alone."""

from __future__ import annotations

import statistics
from collections import OrderedDict
from pathlib import Path

from torch import nn

from regularizers.errors import RunFolderError
from regularizers.recipes._loaded import Loaded
from regularizers.recipes._network_file import read_network, write_network
from regularizers.recipes._run_folder import RunFolder
from regularizers.recipes._scaling import Scaling
from regularizers.recipes.classifier._methods import file_name
from regularizers.recipes.classifier._networks import Arguments
from regularizers.recipes.classifier._parts import Parts

FOLDER = "networks"


def save(path: Path, network: nn.Module, arguments: Arguments, parts: Parts) -> None:
    """Save a network with the scaling before it, and with what new data must have.

    Args:
        path: a `.safetensors` in the folder `networks` of a run.
        network: the network, which reads scaled samples.
        arguments: what builds it.
        parts: the data it was trained on.
    """
    metadata = {
        "recipe": "classifier",
        "data": parts.samples.name,
        "schema": parts.samples.schema.to_json(),
        "dropped": parts.dropped,
        "classes": parts.classes,
        "arguments": arguments.to_json(),
    }
    path.parent.mkdir(exist_ok=True)
    write_network(path, _whole(parts.scaling, network).state_dict(), metadata)


def load(run: RunFolder, network: str | None) -> Loaded:
    """Return a network of a run.

    Args:
        run: the folder of the run.
        network: the name of its file, such as `all-together-0`; by default the method that is best
            on the validation samples, trained from the first seed.

    Returns:
        The network, which reads samples as they are in the file of the data, of shape (samples,
        features), and returns a logit for each class; and `metadata` with `network` (its name),
        `data`, `schema`, `dropped` (columns that were constant in training), `classes` and
        `arguments`.

    Raises:
        RunFolderError: the file is missing, damaged or of an earlier version.
    """
    name = _best(run) if network is None else network
    there = sorted(path.stem for path in (run.path / FOLDER).glob("*.safetensors"))
    if name not in there:
        raise RunFolderError(
            f"{run.path}: expected a network that it holds, {', '.join(there) or 'none yet'}, got "
            f"{name!r}; choose one of them with --network NAME, or finish the run with --resume "
            f"{run.path}"
        )
    path = run.path / FOLDER / f"{name}.safetensors"
    state, metadata = read_network(path, "schema")
    try:
        scaling = Scaling.from_state(
            {name: state[f"scaling.{name}"] for name in ("shift", "scale", "kept")}
        )
        module = _whole(scaling, Arguments.from_json(metadata["arguments"]).build())
        module.load_state_dict(state)
    except (RuntimeError, LookupError, TypeError) as error:
        raise RunFolderError(
            f"{path}: expected the weights of the network that it describes, got others "
            f"({' '.join(str(error).split())}); copy the file again, or train it again"
        ) from None
    return Loaded(module.eval(), {"network": name, **metadata})


def _whole(scaling: Scaling, network: nn.Module) -> nn.Sequential:
    return nn.Sequential(OrderedDict(scaling=scaling, network=network))


def _best(run: RunFolder) -> str:
    """Return the name of the network of the method that is best on validation samples."""
    metrics: dict[str, dict[str, dict[str, float]]] = run.read_json("metrics.json")
    if not metrics:
        raise RunFolderError(
            f"{run.path}: expected a run with a trained network, got one without; finish it with "
            f"--resume {run.path}"
        )

    def mean(method: str) -> float:
        return statistics.fmean(one["validation_accuracy"] for one in metrics[method].values())

    best = max(metrics, key=mean)
    return f"{file_name(best)}-{next(iter(metrics[best]))}"
