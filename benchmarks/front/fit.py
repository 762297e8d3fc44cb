"""One training of the autoencoder in the README's picture, and what is measured of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

import regularizers as rz
from regularizers.attach import AnyRule

UNITS, EPOCHS, BATCH, RATE = 100, 60, 128, 1e-3


class Fitted(NamedTuple):
    """What a trained network does to digits that it has not seen."""

    outputs: Tensor
    """The reconstructions, (samples, pixels)."""
    directions: Tensor
    """What each unit adds, (units, pixels), the units that are used most first."""
    active: float
    """Units that are not 0, on the mean sample."""
    dead: int
    """Units that are 0 on every sample."""
    explained: float
    """The fraction of the variance that is explained."""


def fit(train: Tensor, test: Tensor, rules: Sequence[AnyRule]) -> Fitted:
    """Train a new autoencoder under the rules; the same seed and start for all."""
    torch.manual_seed(0)
    mean = train.mean(0)
    model = nn.Sequential(nn.Linear(train.shape[1], UNITS), nn.ReLU(), nn.Linear(UNITS, len(mean)))
    with torch.no_grad():
        model[2].weight.copy_(nn.functional.normalize(model[2].weight, dim=0))
        model[0].weight.copy_(model[2].weight.T)
    optimizer = torch.optim.Adam(model.parameters(), RATE)
    reg = rz.Regularization(model, rules) if rules else None
    if reg is not None:
        reg.attach(optimizer)
    for _ in range(EPOCHS):
        for indices in torch.randperm(len(train)).split(BATCH):
            x = train[indices] - mean
            loss = (model(x) - x).square().sum(1).mean()
            if reg is not None:
                loss = loss + reg.penalty()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    with torch.no_grad():
        code = model[:2](test - mean)
        error = model(test - mean) - (test - mean)
    used = (code > 0).float().mean(0)
    return Fitted(
        outputs=test + error,
        directions=model[2].weight.detach().T[used.argsort(descending=True)],
        active=float(used.sum()),
        dead=int((used == 0).sum()),
        explained=float(1 - error.square().sum() / (test - mean).square().sum()),
    )
