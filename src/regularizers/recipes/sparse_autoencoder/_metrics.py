"""What is measured of a trained autoencoder, on samples it has not seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from regularizers._text import table
from regularizers.recipes.sparse_autoencoder._network import Autoencoder

ACTIVE = 1e-3
"""A unit is active above this activation."""


@dataclass(frozen=True)
class Metrics:
    """Figures of one network on the validation samples."""

    coding: str
    mse: float
    explained_variance: float
    mean_activation: float
    active_units: float
    dead_units: int


@torch.no_grad()
def measure(network: Autoencoder, x: Tensor) -> Metrics:
    """Return the figures of `network` on the samples `x`.

    Explained variance is 1 − Σ(x − x̂)² / Σ(x − mean)²; active units are averaged over samples;
    a dead unit is active on none of them.
    """
    coding = network.encode(x)
    error = (network.decoder(coding) - x).square()
    active = coding > ACTIVE
    return Metrics(
        coding=type(network.coding).__name__.lower(),
        mse=error.mean().item(),
        explained_variance=1 - (error.sum() / (x - x.mean(dim=0)).square().sum()).item(),
        mean_activation=coding.mean().item(),
        active_units=active.float().sum(dim=1).mean().item(),
        dead_units=int((~active.any(dim=0)).sum()),
    )


def metrics_table(metrics: Mapping[str, Metrics], units: int) -> str:
    """Return the figures of all networks as a table."""
    cells = [
        (
            "penalty",
            "coding",
            "validation MSE",
            "explained variance",
            "mean activation",
            f"active of {units}",
            "dead units",
        )
    ]
    for name, m in metrics.items():
        sparse = m.coding != "sigmoid"
        cells.append(
            (
                name,
                m.coding,
                f"{m.mse:.5f}",
                f"{m.explained_variance:.1%}",
                f"{m.mean_activation:.4f}",
                f"{m.active_units:.1f}" if sparse else "-",
                f"{m.dead_units}" if sparse else "-",
            )
        )
    notes = [f"A unit is active above {ACTIVE:g}, and dead if no validation sample activates it."]
    if any(m.coding == "sigmoid" for m in metrics.values()):
        notes.append("A sigmoid is never 0: there the mean activation is the measure.")
    return "\n".join([table(cells, right=range(2, 7)), *notes])
