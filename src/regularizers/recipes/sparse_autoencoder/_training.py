"""Trains one network, and keeps what the control of its strength said."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.callbacks import Callback

import regularizers as rz
from regularizers._checkpoints import Checkpoints, shapes_of
from regularizers.recipes._finished import anew
from regularizers.recipes._progress import Steps
from regularizers.recipes.sparse_autoencoder._config import TITLES, Config
from regularizers.recipes.sparse_autoencoder._data import Data
from regularizers.recipes.sparse_autoencoder._networks import build
from regularizers.sae import History, SparseAutoencoder


def train(
    kind: str, data: Data, config: Config, checkpoints: Path
) -> tuple[SparseAutoencoder, History, list[str]]:
    """Train a network of a kind, from its checkpoint if there is one.

    Returns:
        The network, what happened, and the warnings of the control.

    Raises:
        KeyboardInterrupt: the user stopped it; the checkpoint is there.
    """
    torch.manual_seed(config.seed)
    network = build(kind, data.features, config)
    of = {"network": kind, "steps": config.steps, "seed": config.seed, **shapes_of(network)}
    progress = sys.stderr.isatty()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        said = Said(caught)
        history = rz.sae.train(
            network,
            data.training,
            steps=config.steps,
            learning_rate=config.learning_rate,
            batch_size=config.batch_size,
            # a sigmoid has no unit that explains nothing
            revive=config.revive and kind != "kl",
            seed=config.seed,
            checkpoints=checkpoints,
            progress=progress,
            devices=config.devices,
            callbacks=[said, *([] if progress else [Steps(TITLES[kind])])],
            plugins=[Checkpoints(of, anew(checkpoints.parents[1], kind))],
        )
    for one in caught:
        if not _is_ours(one):
            warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)
    if kind == "l1":
        rz.sae.debias(network, data.training, batch_size=config.batch_size, seed=config.seed)
    return network.cpu().eval(), history, said.all


class Said(Callback):
    """Keeps warnings in the checkpoint, so that a resumed run has those from before.

    Args:
        caught: the list to which `warnings.catch_warnings` adds.
    """

    def __init__(self, caught: list[warnings.WarningMessage]) -> None:
        self._caught = caught
        self._before: list[str] = []

    @property
    def all(self) -> list[str]:
        """The messages, those from before the interruption first."""
        ours = [str(one.message) for one in self._caught if _is_ours(one)]
        return list(dict.fromkeys([*self._before, *ours]))

    def state_dict(self) -> dict[str, Any]:
        """Return the messages so far."""
        return {"said": self.all}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from those of a checkpoint."""
        self._before = state_dict["said"]


def _is_ours(warning: warnings.WarningMessage) -> bool:
    """Return whether a warning is of a site of the network, whose target is controlled."""
    return "/activity/" in str(warning.message).partition(":")[0]
