"""What reconstructions are worth to a classifier of the samples."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

import regularizers as rz
from regularizers.recipes.sparse_autoencoder._data import Data
from regularizers.sae import Recovered, SparseAutoencoder


class Classifier:
    """A linear classifier of training samples, whose loss on unseen ones is compared.

    Args:
        data: samples with classes.
    """

    def __init__(self, data: Data) -> None:
        from sklearn.linear_model import LogisticRegression

        assert data.classes is not None
        seen, self._unseen = data.classes
        self._validation = data.validation
        fitted = LogisticRegression(max_iter=1000).fit(data.training.numpy(), seen.numpy())
        linear = nn.Linear(*reversed(fitted.coef_.shape))
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(fitted.coef_))
            linear.bias.copy_(torch.from_numpy(fitted.intercept_))
        parts = OrderedDict(samples=nn.Identity(), classifier=linear)
        self._model = nn.Sequential(parts).eval()

    def recovered(self, network: SparseAutoencoder) -> Recovered:
        """Return how much of its cross-entropy the reconstructions of a network keep."""
        batches = [(self._validation, self._unseen)]
        return rz.sae.cross_entropy_recovered(self._model, "samples", network, batches, _loss)


def classifier_of(data: Data) -> Classifier | None:
    """Return the classifier; None where the classes are not known."""
    return None if data.classes is None else Classifier(data)


def _loss(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
    x, y = batch
    return cross_entropy(model(x), y, reduction="none")
