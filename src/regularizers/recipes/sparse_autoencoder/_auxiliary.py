"""The auxiliary loss, which gives dead units a gradient: they reconstruct the residual."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from regularizers.recipes.sparse_autoencoder._network import Autoencoder

COEFFICIENT = 1 / 32
"""The coefficient of the auxiliary loss, as published."""


def units_for(features: int) -> int:
    """Return the number of dead units that are used: the power of two nearest to features / 2."""
    return 1 << max(round(math.log2(features / 2)), 0)


def auxiliary_loss(
    network: Autoencoder, error: Tensor, preactivations: Tensor, dead: Tensor
) -> Tensor:
    """Return the auxiliary loss AuxK, with its coefficient.

    ‖e − Dz‖², averaged over samples and features: e = x − x̂ is a constant, D the decoder's columns,
    and z the k largest preactivations of dead units in each sample. Preactivations, because the
    nonlinearity would give dead units no gradient. A loss that is not finite is replaced by 0.

    Args:
        network: the network, for its decoder.
        error: x − x̂, of shape (samples, features).
        preactivations: what the encoder returns, of shape (samples, units).
        dead: a boolean mask of dead units, of shape (units,).

    Returns:
        A scalar; 0 if no unit is dead.

    Source:
        Gao et al. 2024, Scaling and evaluating sparse autoencoders, arXiv 2406.04093.
    """
    k = min(units_for(error.shape[1]), int(dead.sum()))
    if k == 0:
        return error.new_zeros(())
    dead_preactivations = preactivations[:, dead]
    largest, which = dead_preactivations.topk(k, dim=1)
    coding = torch.zeros_like(dead_preactivations).scatter(1, which, largest)
    reconstruction = coding @ network.decoder.weight[:, dead].T
    loss = nn.functional.mse_loss(reconstruction, error.detach())
    return COEFFICIENT * loss if torch.isfinite(loss) else loss.new_zeros(())
