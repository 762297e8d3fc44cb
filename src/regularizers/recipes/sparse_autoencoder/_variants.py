"""The networks that a run compares, and the strength of L1."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

import regularizers as rz
from regularizers.penalties import L1, KLSparsity, Penalty
from regularizers.recipes.sparse_autoencoder._config import Config, Revive


@dataclass(frozen=True)
class Variant:
    """One way to train the network."""

    name: str
    penalty: Penalty | None
    coding: type[nn.Module]
    revive: Revive = "none"

    @property
    def file_name(self) -> str:
        """The name of its files, without suffix."""
        return self.name.lower()


def variants_of(config: Config) -> list[Variant]:
    """Return the networks that a run compares, the one without a penalty first."""
    return [
        Variant("none", None, nn.ReLU),
        Variant("L1", _l1(config), nn.ReLU, config.revive),
        Variant("KL", KLSparsity(config.kl, config.target), nn.Sigmoid),
    ]


def _l1(config: Config) -> L1:
    return L1(rz.TargetActive(config.wanted_active) if config.l1 is None else config.l1)
