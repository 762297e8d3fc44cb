"""The sparse autoencoder: a code of few active units between two linear maps."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class SparseAutoencoder(nn.Module):
    r"""An encoder, a nonlinearity that leaves few units active, and a dictionary.

    .. math:: z = W_e (c\,x - b) + b_e, \qquad f = \mathrm{act}(z), \qquad
        \hat x = (W_d f + b) / c

    Training happens in units in which c·x is of a known size. What goes in and what comes out is in
    the units of x.
    """

    scale: Tensor
    """c, a buffer without axes."""

    def __init__(
        self,
        features: int,
        units: int,
        active: float,
        architecture: str = "l1",
        nested: tuple[int, ...] | None = None,
    ) -> None:
        super().__init__()
        self.features, self.units, self.active = features, units, active
        self.architecture, self.nested = architecture, nested
        self.encoder = nn.Linear(features, units)
        self.coding: nn.Module = nn.ReLU()
        self.decoder = nn.Linear(units, features)
        self.register_buffer("scale", torch.ones(()))
        with torch.no_grad():
            directions = nn.functional.normalize(torch.randn(units, features), dim=1)
            self.encoder.weight.copy_(directions)
            self.decoder.weight.copy_(directions.T)
            nn.init.zeros_(self.encoder.bias)
            nn.init.zeros_(self.decoder.bias)

    def encode(self, x: Tensor) -> Tensor:
        """Return the code f / c, in the units of `x`, of shape (..., units)."""
        return self._code(x) / self.scale

    def decode(self, code: Tensor) -> Tensor:
        """Return the reconstruction from what `encode` returns, of shape (..., features)."""
        decoded: Tensor = self.decoder(code * self.scale)
        return decoded / self.scale

    def forward(self, x: Tensor) -> Tensor:
        """Return the reconstruction of `x`."""
        decoded: Tensor = self.decoder(self._code(x))
        return decoded / self.scale

    def _code(self, x: Tensor) -> Tensor:
        code: Tensor = self.coding(self.encoder(x * self.scale - self.decoder.bias))
        return code
