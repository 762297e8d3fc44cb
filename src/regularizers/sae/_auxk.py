"""The auxiliary loss by which dead units reconstruct what the others leave."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import linear

from regularizers.errors import ShapeError
from regularizers.modules import describe
from regularizers.sae._autoencoder import SparseAutoencoder


def auxk(
    sae: SparseAutoencoder, x: Tensor, error: Tensor, dead: Tensor, *, coefficient: float = 1 / 32
) -> Tensor:
    r"""Return the auxiliary loss AuxK: dead units reconstruct the error of the others.

    .. math:: \alpha\, \frac{\|e - W_d z_k\|^2}{\|e - \bar e\|^2}

    e is the error, a constant, and z_k are the k = min(features / 2, dead units) largest
    pre-activations of dead units in each sample, without the nonlinearity, which would give them no
    gradient. The numerator and the denominator are sums over the batch. `Revival` mostly does
    better; this is what others call auxiliary loss.

    Args:
        sae: the autoencoder.
        x: the batch, (samples, features).
        error: as `SparseAutoencoder.losses` returns it.
        dead: which units are dead, boolean, (units,).
        coefficient: α.

    Returns:
        A scalar to add to the loss; 0 if no unit is dead or there is no error.

    Raises:
        ShapeError: a mask of another shape.

    Example:
        >>> import regularizers as rz
        >>> import torch
        >>> sae = rz.sae.SparseAutoencoder(8, 32, active=2)
        >>> x = torch.randn(64, 8)
        >>> found = sae.losses(x)
        >>> dead = (found.code > 0).sum(0) == 0
        >>> bool(rz.sae.auxk(sae, x, found.error, dead) >= 0)
        True

    Source: Gao et al., "Scaling and evaluating sparse autoencoders", 2024,
    `arXiv:2406.04093 <https://arxiv.org/abs/2406.04093>`__.
    """
    if dead.dtype != torch.bool or dead.shape != (sae.units,):
        raise ShapeError(
            f"dead: expected a boolean tensor of the {sae.units} units, got {describe(dead)}"
        )
    e = error.detach()
    k = min(max(sae.features // 2, 1), int(dead.sum()))
    spread = (e - e.mean(0)).square().sum()
    if k == 0 or not bool(spread > 0):
        return e.new_zeros(())
    encoder, decoder = sae.encoder, sae.decoder
    z = linear(sae.scaled(x) - sae.offset, encoder.weight[dead], encoder.bias[dead])
    largest, which = z.topk(k, dim=1)
    code = torch.zeros_like(z).scatter(1, which, largest)
    left = e - linear(code, decoder.weight[:, dead])
    return coefficient * left.square().sum() / spread
