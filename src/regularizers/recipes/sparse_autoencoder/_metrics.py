"""The metrics of a trained autoencoder on unseen samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

import regularizers as rz
from regularizers._text import table
from regularizers.monitor import ActiveUnits, Saturation
from regularizers.recipes.sparse_autoencoder._config import TITLES, Config
from regularizers.recipes.sparse_autoencoder._data import Data
from regularizers.recipes.sparse_autoencoder._networks import is_sigmoid
from regularizers.recipes.sparse_autoencoder._recovered import Classifier
from regularizers.sae import History, SparseAutoencoder

MISSED = 0.05
"""Relative deviation above which a target counts as missed."""

_MOST = 20_000
"""Training samples on which active units are counted at most."""


@dataclass(frozen=True)
class Metrics:
    """Figures of one network, on the validation samples unless stated otherwise."""

    coding: str
    strength: float
    """λ at the end of the training; 0 where the nonlinearity counts by itself."""
    mse: float
    explained_variance: float
    active_units: float
    active_in_training: float
    """Active units on the training samples."""
    dead_units: int
    revived: int
    """How many times a unit was started anew in training."""
    longest_column: float
    """The largest norm of a column of the decoder."""
    mean_activation: float
    """Of a sigmoid's units; 0 without one."""
    saturated: float
    """Fraction of a sigmoid's activations in its flat range; 0 without one."""
    loss_recovered: float | None
    """The share of a classifier's cross-entropy that reconstructions keep; None without classes."""

    @property
    def is_sparse(self) -> bool:
        """Whether units can be exactly 0; a sigmoid never is."""
        return self.coding != "sigmoid"


@torch.no_grad()
def measure(
    network: SparseAutoencoder, data: Data, history: History, classifier: Classifier | None
) -> Metrics:
    """Return the figures of a network; their definitions are those of `rz.sae.evaluate`."""
    found = rz.sae.evaluate(network, data.validation)
    recovered = None
    if classifier is not None:
        recovered = classifier.recovered(network).recovered_from_mean
    sigmoid = is_sigmoid(network)
    activations = network.encode(data.validation) * network.scale if sigmoid else torch.zeros(1)
    saturation = Saturation.of_sigmoid()
    saturation.update(activations)
    return Metrics(
        coding=type(network.coding).__name__.lower(),
        strength=history.strength[-1],
        mse=found.mse,
        explained_variance=found.explained_variance,
        active_units=found.l0,
        active_in_training=_active(network, data),
        dead_units=found.dead,
        revived=history.revived[-1],
        longest_column=network.decoder.weight.norm(dim=0).max().item(),
        mean_activation=activations.mean().item(),
        saturated=saturation.value() if sigmoid else 0.0,
        loss_recovered=recovered,
    )


def _active(network: SparseAutoencoder, data: Data) -> float:
    """Return the mean number of active units on training samples."""
    active, seen = ActiveUnits(), 0
    parts = [data.training] if isinstance(data.training, Tensor) else data.training
    for part in parts:
        active.update(network.encode(part))
        seen += len(part)
        if seen >= _MOST:
            break
    return active.value()


def metrics_table(metrics: Mapping[str, Metrics], config: Config) -> str:
    """Return the figures of all networks as a table, those by `kinds` first."""
    cells = [
        [
            *("network", "code", "strength", f"active of {config.units}", "explained variance"),
            *("validation MSE", "dead units", "started anew", "loss recovered"),
        ]
    ]
    for kind, m in metrics.items():
        sparse = [f"{m.active_units:.1f}", f"{m.explained_variance:.1%}", f"{m.mse:.5f}"]
        cells.append(
            [
                *(TITLES[kind], m.coding, f"{m.strength:.2e}" if m.strength else "-"),
                *(sparse if m.is_sparse else ["-", *sparse[1:]]),
                *([f"{m.dead_units}", f"{m.revived}"] if m.is_sparse else ["-", "-"]),
                "-" if m.loss_recovered is None else f"{m.loss_recovered:.1%}",
            ]
        )
    if all(m.loss_recovered is None for m in metrics.values()):
        cells = [row[:-1] for row in cells]
    return "\n".join([table(cells, right=range(2, len(cells[0]))), *notes(metrics, config)])


def notes(metrics: Mapping[str, Metrics], config: Config) -> list[str]:
    """Return the notes below the table."""
    first, *_ = metrics
    reached = metrics[first].active_in_training
    told = f"{TITLES[first]} was told to leave {config.active:g} units active"
    found = ", and found its strength" if metrics[first].strength else ""
    near = abs(reached / config.active - 1) <= MISSED
    said = [
        "A unit is active where it is not 0, and dead if no validation sample activates it.",
        f"{told}{found}: {reached:.1f} are on training samples."
        if near
        else f"{told}; {reached:.1f} are on training samples: see the report.",
    ]
    if any(m.loss_recovered is not None for m in metrics.values()):
        said.append(
            "Loss recovered: of what a linear classifier's cross-entropy loses when every sample "
            "is the mean one."
        )
    said += [
        f"A sigmoid is never 0: its mean activation is {m.mean_activation:.3g}, and "
        f"{config.mean_activation:.3g} was asked for."
        for m in metrics.values()
        if not m.is_sparse
    ]
    return said
