"""Where a training begins: the scale of the data, and an encoder that does not overshoot."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import linear

from regularizers.errors import DataError
from regularizers.layers import JumpReLU

ROWS = 4096
"""Samples from which the start of the encoder is measured."""


def measured_scale(x: Tensor, active: float) -> tuple[Tensor, Tensor]:
    """Return the scale at which samples have so many units of size 1, and their mean.

    Raises:
        DataError: samples that are all the same, or not finite.
    """
    mean = x.mean(dim=0)
    spread = (x - mean).square().sum(dim=1).mean()
    if not bool(spread.isfinite()) or not spread > 0:
        raise DataError(
            f"data: expected samples that differ and are finite, got a mean squared distance to "
            f"their mean of {spread.item():g} in {len(x)} samples"
        )
    return (active / spread).sqrt(), mean


def start_encoder(
    encoder: nn.Linear, coding: nn.Module, decoder: nn.Linear, x: Tensor, y: Tensor, share: float
) -> None:
    r"""Scale an encoder at its start, and set the thresholds of JumpReLU.

    Each unit is active in the same share of the samples, f being its pre-activations there. The
    rows of the encoder are multiplied by

    .. math:: g = \min\left(1, \frac{\sum \langle y, W f \rangle}{\sum \|W f\|^2}\right)

    at which W f is nearest to y. Real data vary most in few directions: the many units that point
    there would add up to several times y, and training would end most of them to mend that.

    Args:
        encoder: one without biases yet.
        coding: its nonlinearity.
        decoder: W.
        x: samples as the encoder reads them, the offset taken off.
        y: what they are decoded to, the bias of the decoder taken off; x for an autoencoder.
        share: of the samples in which a unit is active.
    """
    code, least = _sparse(encoder, x, share)
    made = linear(code, decoder.weight)
    gain = ((made * y).sum() / made.square().sum()).nan_to_num(1.0).clamp(0.01, 1.0)
    encoder.weight.mul_(gain)
    if isinstance(coding, JumpReLU):
        coding.threshold.copy_(gain * least)


def start_decoder(
    decoder: nn.Linear, encoder: nn.Linear, x: Tensor, y: Tensor, share: float
) -> None:
    """Aim each unit of a decoder at the mean of y over samples in which it is active.

    Args:
        decoder: its columns get this direction, with a norm of 1.
        encoder: as for `start_encoder`.
        x: likewise.
        y: likewise.
        share: likewise.
    """
    code, _ = _sparse(encoder, x, share)
    means = code.T @ y
    norms = means.norm(dim=1, keepdim=True)
    decoder.weight.copy_((means / norms).where(norms > 0, decoder.weight.T).T)


def _sparse(encoder: nn.Linear, x: Tensor, share: float) -> tuple[Tensor, Tensor]:
    """Return pre-activations of a share of the samples of each unit, and the least of them."""
    z = linear(x, encoder.weight)
    least = z.topk(max(round(share * len(z)), 1), dim=0).values[-1].clamp(min=0)
    return z * (z >= least), least
