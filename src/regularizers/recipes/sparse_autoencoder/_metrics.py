"""The metrics of a trained autoencoder on unseen samples."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

import regularizers as rz
from regularizers.monitor import ActiveUnits, Saturation
from regularizers.recipes.sparse_autoencoder._data import Data
from regularizers.recipes.sparse_autoencoder._networks import activations_of, is_sigmoid
from regularizers.recipes.sparse_autoencoder._outlier import largest_error
from regularizers.recipes.sparse_autoencoder._recovered import Classifier
from regularizers.sae import History, SparseAutoencoder

_MOST = 20_000
"""Training samples on which active units are counted at most."""


@dataclass(frozen=True)
class Metrics:
    """Figures of one network, on the validation samples unless stated otherwise."""

    coding: str
    strength: float
    """λ at the end of the training; 0 where the nonlinearity counts by itself."""
    mse: float
    explained_variance: float
    active_units: float
    active_in_training: float
    """Active units on the training samples."""
    dead_units: int
    revived: int
    """How many times a unit was started anew in training."""
    longest_column: float
    """The largest norm of a column of the decoder."""
    mean_activation: float
    """Of a sigmoid's units; 0 without one."""
    saturated: float
    """Fraction of a sigmoid's activations in its flat range; 0 without one."""
    loss_recovered: float | None
    """The share of a classifier's cross-entropy that reconstructions keep; None without classes."""
    unseen_samples: int = 0
    """Validation samples."""
    worst_sample: int | None = None
    """The sample with most of the squared error, by its number in the data, from 1."""
    worst_share: float = 0.0
    """Its share of the squared error of all validation samples."""
    explained_without_worst: float | None = None
    """Explained variance of the other validation samples; None where it is not defined."""

    @property
    def is_sparse(self) -> bool:
        """Whether units can be exactly 0; a sigmoid never is."""
        return self.coding != "sigmoid"


@torch.no_grad()
def measure(
    network: SparseAutoencoder, data: Data, history: History, classifier: Classifier | None
) -> Metrics:
    """Return the figures of a network; their definitions are those of `rz.sae.evaluate`."""
    found = rz.sae.evaluate(network, data.validation)
    worst = largest_error(network, data.validation)
    recovered = None
    if classifier is not None:
        recovered = classifier.recovered(network).recovered_from_mean
    sigmoid = is_sigmoid(network)
    activations = torch.zeros(1)
    if sigmoid:
        activations = activations_of(network, network.encode(data.validation))
    saturation = Saturation.of_sigmoid()
    saturation.update(activations)
    return Metrics(
        coding=type(network.coding).__name__.lower(),
        strength=history.strength[-1],
        mse=found.mse,
        explained_variance=found.explained_variance,
        active_units=found.l0,
        active_in_training=_active(network, data),
        dead_units=found.dead,
        revived=history.revived[-1],
        longest_column=network.decoder.weight.norm(dim=0).max().item(),
        mean_activation=activations.mean().item(),
        saturated=saturation.value() if sigmoid else 0.0,
        loss_recovered=recovered,
        unseen_samples=len(data.validation),
        worst_sample=data.row_of(worst.index),
        worst_share=worst.share,
        explained_without_worst=worst.explained_without,
    )


def _active(network: SparseAutoencoder, data: Data) -> float:
    """Return the mean number of active units on training samples."""
    active, seen = ActiveUnits(), 0
    parts = [data.training] if isinstance(data.training, Tensor) else data.training
    for part in parts:
        active.update(network.encode(part))
        seen += len(part)
        if seen >= _MOST:
            break
    return active.value()
