"""The networks that a run compares: how each is made, saved and read."""

from __future__ import annotations

from pathlib import Path

from safetensors.torch import load_file
from safetensors.torch import save as to_bytes
from torch import Tensor, nn

import regularizers as rz
from regularizers._written import written
from regularizers.attach import AnyRule
from regularizers.constraints import UnitNorm
from regularizers.penalties import KLSparsity
from regularizers.recipes.sparse_autoencoder._config import Config
from regularizers.sae import SparseAutoencoder


class KLAutoencoder(SparseAutoencoder):
    """A sigmoid code whose units are held to a mean activation by the KL divergence.

    Args:
        features: the width of x.
        units: the units of the code.
        penalty: the divergence, with its target.

    Source: Ng, "Sparse autoencoder", CS294A lecture notes, 2011.
    """

    def __init__(self, features: int, units: int, penalty: KLSparsity) -> None:
        super().__init__(features, units, penalty.target * units, "l1")
        self.coding = nn.Sigmoid()
        self._penalty = penalty

    def rules(self) -> list[AnyRule]:
        """Return the divergence, and columns of norm 1."""
        divergence = rz.activity(self._penalty, where="coding")
        return [divergence, rz.constraint(UnitNorm(axis="input"), where="decoder")]


def build(kind: str, features: int, config: Config) -> SparseAutoencoder:
    """Return a network before its training."""
    if kind == "kl":
        penalty = KLSparsity(config.kl, config.mean_activation)
        return KLAutoencoder(features, config.units, penalty)
    return SparseAutoencoder(features, config.units, config.active, kind)  # type: ignore[arg-type]


def save(network: SparseAutoencoder, folder: Path) -> None:
    """Save a network; that of `KL`, which no other format knows, as its tensors."""
    if isinstance(network, KLAutoencoder):
        with written(folder / "weights.safetensors") as path:
            path.write_bytes(to_bytes(network.state_dict()))
    else:
        rz.sae.save(network, folder)


def load(kind: str, features: int, config: Config, folder: Path) -> SparseAutoencoder:
    """Return a network that was saved."""
    if kind != "kl":
        return rz.sae.load(folder)
    network = build(kind, features, config)
    network.load_state_dict(load_file(folder / "weights.safetensors"))
    return network.eval()


def is_sigmoid(network: SparseAutoencoder) -> bool:
    """Return whether the units are between 0 and 1, and never exactly 0."""
    return isinstance(network.coding, nn.Sigmoid)


def activations_of(network: SparseAutoencoder, code: Tensor) -> Tensor:
    """Return the activations of a code: as they are, of a sigmoid those between 0 and 1.

    A code carries the scale of the samples, so that the decoder's directions are in their units.
    """
    return code * network.scale if is_sigmoid(network) else code
