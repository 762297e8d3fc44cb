"""A small problem with a known dictionary, and autoencoders in float64."""

import torch
from torch.nn.functional import normalize

import regularizers as rz

ARCHITECTURES = ["jumprelu", "topk", "batchtopk", "gated", "l1"]


def superposed(samples: int, *, features: int = 8, directions: int = 16, seed: int = 0):
    """Return samples of which two of the directions are active, on average, and the directions."""
    generator = torch.Generator().manual_seed(seed)
    dictionary = normalize(torch.randn(directions, features, generator=generator), dim=1)
    active = torch.rand(samples, directions, generator=generator) < 2 / directions
    return active * (1 + 0.2 * torch.randn(active.shape, generator=generator)) @ dictionary, (
        dictionary
    )


def autoencoder(architecture: str = "jumprelu", *, features=8, units=16, active=2, nested=None):
    """Return an autoencoder in float64 with weights of no special kind."""
    torch.manual_seed(1)
    sae = rz.sae.SparseAutoencoder(features, units, active, architecture, nested).double()
    with torch.no_grad():
        for parameter in (sae.encoder.bias, sae.decoder.bias):
            parameter.add_(0.1 * torch.randn_like(parameter))
        sae.scale.fill_(0.7)
    return sae
