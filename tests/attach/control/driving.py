"""Helpers of the tests of targets: a site with a stated pull, and what is saved of a target."""

from __future__ import annotations

import json

import torch
from torch import Tensor, nn

import regularizers as rz


def numbers(*shape: int, seed: int = 0, dtype=torch.float64) -> Tensor:
    """Return random numbers that bfloat16 holds exactly."""
    drawn = torch.randn(*shape, generator=torch.Generator().manual_seed(seed))
    return drawn.bfloat16().to(dtype)


class Shifted(nn.Module):
    """Returns its input plus a parameter: a site whose output a test chooses."""

    def __init__(self, dtype=torch.float64) -> None:
        super().__init__()
        self.by = nn.Parameter(torch.zeros((), dtype=dtype))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.by


def deliver(reg: rz.Regularization, loss: Tensor, delivery: str) -> None:
    """Take the backward pass of a loss and the penalties."""
    (loss + reg.penalty() if delivery == "collect" else reg.scale_from(loss)).backward()


def saved(reg: rz.Regularization, key: str | None = None) -> dict:
    """Return the saved state of a target, of the only one unless told."""
    states = reg.state_dict()["controllers"]
    return states[key or next(iter(states))]


def from_json(reg: rz.Regularization) -> dict:
    """Return the state as it comes back from a JSON file."""
    return json.loads(json.dumps(reg.state_dict()))


def coder(units: int = 12) -> nn.Sequential:
    """Return a small autoencoder of float64 with its coding at "1"."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, units), nn.ReLU(), nn.Linear(units, 4)).double()


def batch(step: int, rows: int = 64) -> Tensor:
    """Return the batch of a step."""
    generator = torch.Generator().manual_seed(step)
    return torch.randn(rows, 4, dtype=torch.float64, generator=generator)


def error_of(model: nn.Module, x: Tensor) -> Tensor:
    """Return the loss of an autoencoder."""
    return nn.functional.mse_loss(model(x), x)


def trained(model, reg, steps, *, first=0, delivery="collect", optimizer=None, lr=0.05):
    """Train, and return the strengths after each step; steps are by hand without an optimizer."""
    update = optimizer or torch.optim.SGD(model.parameters(), lr=lr)
    strengths = []
    for step in range(first, first + steps):
        update.zero_grad()
        deliver(reg, error_of(model, batch(step)), delivery)
        update.step()
        if optimizer is None:
            reg.step()
        strengths.append(dict(reg.strengths))
    return strengths
