"""The networks of a run: how they are saved, and how they are read from its folder alone."""

from __future__ import annotations

import statistics
from collections import OrderedDict

from torch import nn

from regularizers.errors import RunFolderError
from regularizers.recipes._finished import METRICS
from regularizers.recipes._loaded import Loaded
from regularizers.recipes._network_file import (
    found_network,
    network_path,
    read_network,
    write_network,
)
from regularizers.recipes._run_folder import RunFolder
from regularizers.recipes._scaling import Scaling
from regularizers.recipes.classifier._methods import file_name
from regularizers.recipes.classifier._metrics import Metrics
from regularizers.recipes.classifier._networks import Arguments
from regularizers.recipes.classifier._parts import Parts


def save(run: RunFolder, name: str, network: nn.Module, arguments: Arguments, parts: Parts) -> None:
    """Save a network with the scaling before it, and with what new data must have.

    Args:
        run: the folder of the run.
        name: the name of the network.
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
    path = network_path(run.path, name)
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
    path = found_network(run.path, name)
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
    metrics = run.read(METRICS, dict[str, dict[str, Metrics]], {})
    accuracies = {
        method: statistics.fmean(one.validation_accuracy for one in of_seeds.values())
        for method, of_seeds in metrics.items()
        if of_seeds
    }
    if not accuracies:
        raise RunFolderError(
            f"{run.path}: expected a run with a trained network, got one without; finish it with "
            f"--resume {run.path}"
        )
    best = max(accuracies, key=lambda method: accuracies[method])
    return f"{file_name(best)}-{next(iter(metrics[best]))}"
