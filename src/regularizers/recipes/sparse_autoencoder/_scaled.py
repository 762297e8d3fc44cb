"""A sparse autoencoder that reads samples as they are in a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn

if TYPE_CHECKING:
    from regularizers.recipes._scaling import Scaling
    from regularizers.sae import SparseAutoencoder


class ScaledAutoencoder(nn.Module):
    """The scaling of samples, and the autoencoder that was trained on scaled ones.

    Args:
        scaling: maps samples as they are in the file to what the autoencoder reads.
        network: the autoencoder.

    Shape:
        (..., columns) in float64 or float32 to the same in float64.
    """

    def __init__(self, scaling: Scaling, network: SparseAutoencoder) -> None:
        super().__init__()
        self.scaling = scaling
        self.network = network

    def encode(self, x: Tensor) -> Tensor:
        """Return the code of samples, (..., units) in float32."""
        code: Tensor = self.network.encode(self.scaling(x))
        return code

    def decode(self, code: Tensor) -> Tensor:
        """Return the samples of a code in their own units; columns left out as in training."""
        return self.scaling.inverse(self.network.decode(code))

    def forward(self, x: Tensor) -> Tensor:
        """Return the reconstruction of samples."""
        return self.decode(self.encode(x))
