"""The auxiliary loss that gives dead units a gradient: they reconstruct what is left over."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from regularizers.recipes.sparse_autoencoder._network import Autoencoder

COEFFICIENT = 1 / 32
"""Of the auxiliary loss, as published."""


def units_for(features: int) -> int:
    """Return how many dead units take part: the power of two nearest to half the features."""
    return 1 << max(round(math.log2(features / 2)), 0)


def auxiliary_loss(
    network: Autoencoder, error: Tensor, preactivations: Tensor, dead: Tensor
) -> Tensor:
    """Return the auxiliary loss AuxK, with its coefficient.

    ‖e − Dz‖² as a mean over samples and features, where e = x − x̂ counts as given, D are the
    decoder's columns and z the k largest preactivations of dead units in each sample, before the
    nonlinearity, which would leave them without a gradient. Where it is not finite it is 0.

    Args:
        network: whose decoder it is.
        error: x − x̂, of shape (samples, features).
        preactivations: what the encoder returns, of shape (samples, units).
        dead: which units, of shape (units,).

    Returns:
        A scalar; 0 if no unit is dead.

    Source:
        Gao et al. 2024, Scaling and evaluating sparse autoencoders, arXiv 2406.04093.
    """
    k = min(units_for(error.shape[1]), int(dead.sum()))
    if k == 0:
        return error.new_zeros(())
    of_dead = preactivations[:, dead]
    largest, which = of_dead.topk(k, dim=1)
    coding = torch.zeros_like(of_dead).scatter(1, which, largest)
    reconstruction = coding @ network.decoder.weight[:, dead].T
    loss = nn.functional.mse_loss(reconstruction, error.detach())
    return COEFFICIENT * loss if torch.isfinite(loss) else loss.new_zeros(())
