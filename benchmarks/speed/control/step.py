"""Ten whole steps of training: gradients to zero, forward, loss, backward, update."""

from __future__ import annotations

import warnings

import torch
from benchmarks.speed.control.networks import Network, tensor_of
from benchmarks.speed.control.ways import Way
from torch.nn import functional
from torch.optim import Adam

BLOCK = 10
"""Steps of a call: work that is done in every tenth step falls once into each."""

SETTLED = 60
"""Steps before the timing; a controller looks on, and then finds its scale, in the first of them.

They are a multiple of `BLOCK`.
"""


class Steps:
    """A network in training; a call makes ten steps. All ways start with the same weights."""

    def __init__(self, network: Network, way: Way) -> None:
        torch.manual_seed(0)
        self.model = network.build().to(network.inputs.device)
        self.optimizer = Adam(self.model.parameters(), lr=1e-3)
        self.made = way(self.model, self.optimizer, network)
        self._network = network
        for _ in range(SETTLED // BLOCK):
            self()

    def __call__(self) -> None:
        """Make ten steps."""
        with warnings.catch_warnings():
            # whether a target is reached is not asked here
            warnings.filterwarnings("ignore", category=UserWarning, message=".*target")
            for _ in range(BLOCK):
                self.step()

    def step(self) -> None:
        """Make one step."""
        self.optimizer.zero_grad()
        output = tensor_of(self.model(self._network.inputs))
        loss = functional.mse_loss(output, self._network.expected)
        self.made.whole(loss).backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
