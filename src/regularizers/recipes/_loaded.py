"""Trained networks, read from the folder of their run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from regularizers.errors import RunFolderError
from regularizers.recipes._run_folder import RunFolder

if TYPE_CHECKING:
    from torch import nn

_RECIPES = ("classifier", "language-model", "sparse-autoencoder")


@dataclass(frozen=True)
class Loaded:
    """A trained network, and what is known of it.

    Args:
        module: the network in evaluation mode, with the scaling of its inputs as its first part.
        metadata: what the recipe kept beside the weights, as plain values: the columns it reads,
            its classes or its vocabulary, and the arguments that build the network.

    Example:
        >>> import torch
        >>> from regularizers.recipes import Loaded
        >>> loaded = Loaded(torch.nn.Linear(4, 3), {"classes": ["setosa", "versicolor"]})
        >>> loaded.metadata["classes"]
        ['setosa', 'versicolor']
    """

    module: nn.Module
    metadata: dict[str, Any]


def load(folder: str | Path, network: str | None = None) -> Loaded:
    """Return a trained network from the folder of its run, which is all that it needs.

    Args:
        folder: the folder of a finished run of any recipe.
        network: which of the networks of the run, as its file is called; by default the one that
            the run is about.

    Returns:
        The network, in evaluation mode, and what is known of it.

    Raises:
        RunFolderError: the folder is none of a run, is damaged, or has no such network.

    Example:
        >>> import tempfile, torch
        >>> from pathlib import Path
        >>> import regularizers as rz
        >>> from regularizers.recipes import classifier
        >>> with tempfile.TemporaryDirectory() as runs:
        ...     few = dict(epochs=1, seeds=1, units=8, train=100)
        ...     classifier.run(classifier.Config(runs=Path(runs), **few))
        ...     (folder,) = Path(runs).iterdir()
        ...     loaded = rz.recipes.load(folder, "dropout-0")
        digits: 100 samples for training, 539 for validation, 64 features, 10 classes...
        >>> loaded.module(torch.zeros(5, 64)).shape  # of five pictures, a logit for each class
        torch.Size([5, 10])
        >>> loaded.metadata["classes"][:3]
        ['0', '1', '2']
    """
    return load_of(_RECIPES, folder, network)


def load_of(recipes: Sequence[str], folder: str | Path, network: str | None = None) -> Loaded:
    """Return a trained network from the folder of a run of one of some recipes, as `load` does.

    Args:
        recipes: the recipes that will do.
        folder: the folder of the run.
        network: the name of the network.

    Raises:
        RunFolderError: the folder is of another recipe, or as `load`.
    """
    run = RunFolder.open(Path(folder))
    recipe = str(run.config().get("recipe", ""))
    if recipe not in recipes:
        got = repr(recipe) if recipe else "one of an earlier version, which does not say"
        raise RunFolderError(
            f"{folder}: expected the folder of a run of {', '.join(recipes)}, got {got}; name "
            f"another, or train again"
        )
    saved = import_module(f"regularizers.recipes.{recipe.replace('-', '_')}.saved")
    read: Callable[[RunFolder, str | None], Loaded] = saved.load
    return read(run, network)
