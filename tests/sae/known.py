"""Autoencoders whose weights are known."""

import torch
from torch import Tensor, nn

from regularizers.sae import SparseAutoencoder


def autoencoder(
    encoder: Tensor, decoder: Tensor, bias: float | Tensor = 0.0, offset: float | Tensor = 0.0
) -> SparseAutoencoder:
    """Return relu((x - offset) Eᵀ + bias) Dᵀ + offset; E is (units, features), D its shape."""
    units, features = encoder.shape
    sae = SparseAutoencoder(features, units, 1, architecture="l1")
    sae.coding = nn.ReLU()
    with torch.no_grad():
        sae.encoder.weight.copy_(encoder)
        sae.encoder.bias.copy_(torch.as_tensor(bias).expand(units))
        sae.decoder.weight.copy_(decoder.mT)
        sae.decoder.bias.copy_(torch.as_tensor(offset).expand(features))
        sae.scale.fill_(1.0)
    return sae


def of_directions(directions: Tensor, bias: float = 0.0) -> SparseAutoencoder:
    """Return an autoencoder that encodes and decodes by the same rows."""
    return autoencoder(directions, directions, bias)


def random_autoencoder(features: int, units: int, seed: int = 0) -> SparseAutoencoder:
    """Return an autoencoder of random directions, about a third of whose units are active."""
    generator = torch.Generator().manual_seed(seed)
    rows = nn.functional.normalize(torch.randn(units, features, generator=generator), dim=1)
    return of_directions(rows, -0.4)
