"""The metrics of a trained autoencoder on unseen samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from regularizers._text import table
from regularizers.monitor import (
    ActiveUnits,
    DeadUnits,
    ExplainedVariance,
    MeanActivation,
    Saturation,
)
from regularizers.recipes.sparse_autoencoder._config import Config
from regularizers.recipes.sparse_autoencoder._history import History
from regularizers.recipes.sparse_autoencoder._network import Autoencoder

MISSED = 0.05
"""Relative deviation above which a target counts as missed."""


@dataclass(frozen=True)
class Metrics:
    """Figures of one network, on the validation samples unless stated otherwise."""

    coding: str
    strength: float
    """λ at the end of the training; 0 without a penalty."""
    mse: float
    explained_variance: float
    mean_activation: float
    active_units: float
    active_in_training: float
    """Active units on the training samples."""
    dead_units: int
    revived: int
    """The number of times that a dead unit became active again in training."""
    saturated: float
    """Fraction of the sigmoid's activations in its flat range; 0 without a sigmoid."""

    @property
    def is_sparse(self) -> bool:
        """Whether units can be exactly 0; a sigmoid never is."""
        return self.coding != "sigmoid"


@torch.no_grad()
def measure(
    network: Autoencoder, validation: Tensor, training: Tensor, history: History
) -> Metrics:
    """Return the figures of `network`: their definitions are those of `regularizers.monitor`."""
    coding = network.encode(validation)
    output = network.decoder(coding)
    explained = ExplainedVariance()
    explained.update(validation, output)
    return Metrics(
        coding=type(network.coding).__name__.lower(),
        strength=history.last_strength,
        mse=(output - validation).square().mean().item(),
        explained_variance=explained.value(),
        mean_activation=_of(MeanActivation(), coding),
        active_units=_of(ActiveUnits(), coding),
        active_in_training=_of(ActiveUnits(), network.encode(training)),
        dead_units=int(_of(DeadUnits(), coding)),
        revived=history.revived,
        saturated=_of(Saturation.of_sigmoid(), coding) if is_sigmoid(network) else 0.0,
    )


def is_sigmoid(network: Autoencoder) -> bool:
    """Return whether the units of the coding are between 0 and 1, and never exactly 0."""
    return isinstance(network.coding, nn.Sigmoid)


def _of(metric: ActiveUnits | DeadUnits | MeanActivation | Saturation, coding: Tensor) -> float:
    metric.update(coding)
    return metric.value()


def metrics_table(metrics: Mapping[str, Metrics], config: Config) -> str:
    """Return the figures of all networks as a table."""
    header = (
        *("penalty", "coding", "strength", "validation MSE", "explained variance"),
        *("mean activation", f"active of {config.units}", "dead units", "revived"),
    )
    cells = [header] + [
        (
            name,
            m.coding,
            f"{m.strength:.2e}" if m.strength else "-",
            f"{m.mse:.5f}",
            f"{m.explained_variance:.1%}",
            f"{m.mean_activation:.4f}",
            f"{m.active_units:.1f}" if m.is_sparse else "-",
            f"{m.dead_units}" if m.is_sparse else "-",
            f"{m.revived}" if m.is_sparse else "-",
        )
        for name, m in metrics.items()
    ]
    return "\n".join([table(cells, right=range(2, 9)), *notes(metrics, config)])


def notes(metrics: Mapping[str, Metrics], config: Config) -> list[str]:
    """Return the notes below the table."""
    said = [
        "A unit is active where it is not exactly 0, and dead if no validation sample activates it."
    ]
    if config.wanted_active is not None:
        reached = metrics["L1"].active_in_training
        told = f"L1 was told to leave {config.wanted_active:g} units active"
        if abs(reached / config.wanted_active - 1) <= MISSED:
            said.append(f"{told}, and found its strength: {reached:.1f} are on training samples.")
        else:
            said.append(f"{told}; {reached:.1f} are on training samples: see the report.")
    if any(not m.is_sparse for m in metrics.values()):
        said.append("A sigmoid is never 0: there the mean activation is the measure.")
    return said
