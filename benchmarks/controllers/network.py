"""The network: one coding layer between two linear maps."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Autoencoder(nn.Module):
    """A coding layer wide enough that only a penalty keeps it from copying its input.

    It starts centred on the mean of the data and with a decoder that is the transpose of an
    orthogonal encoder, so that every unit has its own direction and few die early.

    Args:
        mean: the mean sample, of shape (features,).
        units: units of the coding.
        coding: the nonlinearity of the coding.

    Shape:
        (samples, features) to (samples, features).
    """

    def __init__(self, mean: Tensor, units: int, coding: nn.Module) -> None:
        super().__init__()
        features = mean.shape[0]
        self.encoder = nn.Linear(features, units)
        self.coding = coding
        self.decoder = nn.Linear(units, features)
        with torch.no_grad():
            nn.init.orthogonal_(self.encoder.weight)
            self.encoder.bias.copy_(-(self.encoder.weight @ mean))
            self.decoder.weight.copy_(self.encoder.weight.T)
            self.decoder.bias.copy_(mean)

    def encode(self, x: Tensor) -> Tensor:
        """Return the coding, of shape (samples, units)."""
        coding: Tensor = self.coding(self.encoder(x))
        return coding

    def forward(self, x: Tensor) -> Tensor:
        """Return the reconstruction of `x`."""
        reconstruction: Tensor = self.decoder(self.encode(x))
        return reconstruction
