"""Autoencoders with parameters that are not at their start."""

import pytest
import torch

from regularizers.sae import SparseAutoencoder
from sae.files.oracle import FEATURES, UNITS, K


@pytest.fixture
def trained():
    """A function that gives an autoencoder of an architecture with drawn parameters."""

    def make(architecture, scale=3.7, dtype=torch.float32, nested=None):
        torch.manual_seed(0)
        sae = SparseAutoencoder(FEATURES, UNITS, K, architecture=architecture, nested=nested)
        with torch.no_grad():
            for name, parameter in sae.named_parameters():
                if "weight" not in name:
                    drawn = 0.3 * torch.randn(parameter.shape)
                    parameter.copy_(drawn.abs() if "threshold" in name else drawn)
            sae.encoder.weight.add_(0.3 * torch.randn(UNITS, FEATURES))
            sae.scale.fill_(scale)
            if architecture == "batchtopk":
                sae.coding.threshold.fill_(0.4)
        return sae.to(dtype).eval()

    return make


@pytest.fixture
def x():
    return torch.randn(20, FEATURES, generator=torch.Generator().manual_seed(1))
