"""Refits magnitudes and dictionary on the units that a code has found, which L1 has shrunk."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, normalize

from regularizers.errors import ConfigurationError
from regularizers.layers import JumpReLU
from regularizers.sae._autoencoder import SparseAutoencoder
from regularizers.sae._batches import batches_of
from regularizers.sae._joined import joined_world

_LEAST_GAIN = 0.1


def debias(
    sae: SparseAutoencoder,
    data: Any,
    *,
    steps: int = 500,
    learning_rate: float = 3e-3,
    batch_size: int = 512,
    seed: int = 0,
) -> None:
    r"""Refit gain, offset and dictionary of an L1 code, whose units stay active where they were.

    .. math:: f'_i = 1[z_i > 0]\,(g_i z_i + o_i), \qquad
        \min_{g, o, W_d, b} \sum \|c\,x - W_d f' - b\|^2, \qquad g_i \ge 0.1,\; o_i \ge 0

    L1 draws all that is active towards 0, so that a code of few units has about half the
    magnitudes that it should have. Which units are active is kept. Since z > 0 is g z + o > o, the
    result is exactly a JumpReLU with the threshold o: the autoencoder is one afterwards.

    Args:
        sae: an autoencoder with `architecture="l1"`, changed in place.
        data: as for `train`.
        steps: the number of batches.
        learning_rate: of Adam; it falls to 0 along a line.
        batch_size: as for `train`.
        seed: of the order of samples.

    Raises:
        ConfigurationError: another architecture, which shrinks nothing.

    Example:
        >>> import regularizers as rz
        >>> import torch
        >>> sae = rz.sae.SparseAutoencoder(8, 32, active=2, architecture="l1")
        >>> x = torch.randn(512, 8)
        >>> rz.sae.debias(sae, x, steps=10, batch_size=64)
        >>> sae.architecture
        'jumprelu'
    """
    if sae.architecture != "l1":
        raise ConfigurationError(
            f"debias: expected an autoencoder with architecture='l1', whose penalty shrinks the "
            f"code, got {sae.architecture!r}"
        )
    encoder, decoder = sae.encoder, sae.decoder
    gain, offset = torch.ones_like(encoder.bias), torch.zeros_like(encoder.bias)
    rows, bias = decoder.weight.detach().T.clone(), decoder.bias.detach().clone()
    fitted = [one.requires_grad_() for one in (gain, offset, rows, bias)]
    optimizer = torch.optim.Adam(fitted, learning_rate, betas=(0.9, 0.99))
    rate = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 1e-3, total_iters=steps)
    joined = joined_world()
    for batch in batches_of(data, steps=steps, batch_size=batch_size, seed=seed):
        with torch.no_grad():
            found = sae.losses(*[_on(sae.scale.device, part) for part in sae.parts(batch)])
        # the code is 0 where a unit is not active
        code = found.code * gain + (found.code > 0) * offset
        left = found.target - linear(code, normalize(rows, dim=1).T, bias)
        optimizer.zero_grad()
        torch.autograd.backward(left.square().sum(1).mean(), inputs=fitted)
        for one in fitted:
            assert one.grad is not None
            one.grad = joined.sum(one.grad) / joined.size
        optimizer.step()
        rate.step()
        with torch.no_grad():
            gain.clamp_(min=_LEAST_GAIN)
            offset.clamp_(min=0.0)
    _fold(sae, gain.detach(), offset.detach(), normalize(rows.detach(), dim=1), bias.detach())


@torch.no_grad()
def _fold(sae: SparseAutoencoder, gain: Tensor, offset: Tensor, rows: Tensor, bias: Tensor) -> None:
    """Write what was fitted into the autoencoder, as one with a threshold for each unit."""
    encoder, decoder = sae.encoder, sae.decoder
    former = sae.offset.clone()
    decoder.weight.copy_(rows.T)
    decoder.bias.copy_(bias)
    # z is of the former offset: W (x - b) + b_e = W (x - b') + (b_e + W (b' - b))
    encoder.bias.add_(encoder.weight @ (sae.offset - former))
    encoder.weight.mul_(gain[:, None])
    encoder.bias.mul_(gain).add_(offset)
    jump = JumpReLU(sae.units).to(offset)
    nn.init.zeros_(jump.threshold).add_(offset)
    sae.become(jump)


def _on(device: torch.device, part: Any) -> Any:
    """Return a part of a batch on a device; a mapping of sites as it is."""
    return part.to(device) if isinstance(part, Tensor) else part
