"""Autoencoders with parameters that are not at their start."""

import pytest
import torch

# reason: `load` builds stand-ins as long as the autoencoder has no codings of its own
from regularizers.sae.files import _load
from sae.files.oracle import FEATURES, UNITS, K
from sae.files.stand_ins import Autoencoder


@pytest.fixture(autouse=True)
def built(monkeypatch):
    monkeypatch.setattr(_load, "SparseAutoencoder", Autoencoder)


@pytest.fixture
def trained():
    """A function that gives an autoencoder of an architecture with drawn parameters."""

    def make(architecture, scale=3.7, dtype=torch.float32, nested=None):
        torch.manual_seed(0)
        sae = Autoencoder(FEATURES, UNITS, K, architecture=architecture, nested=nested)
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
