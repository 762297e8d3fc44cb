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
    encoder: nn.Linear, coding: nn.Module, decoder: nn.Linear, x: Tensor, share: float
) -> None:
    r"""Scale an encoder at its start, and set the thresholds of JumpReLU.

    Each unit is active in the same share of the samples, f being its pre-activations there. The
    rows of the encoder are multiplied by

    .. math:: g = \min\left(1, \frac{\sum \langle x, W f \rangle}{\sum \|W f\|^2}\right)

    at which W f is nearest to x. Real data vary most in few directions: the many units that point
    there would add up to several times x, and training would end most of them to mend that.

    Args:
        encoder: one without biases yet.
        coding: its nonlinearity.
        decoder: W.
        x: samples as the encoder reads them, the offset taken off.
        share: of the samples in which a unit is active.
    """
    z = linear(x, encoder.weight)
    least = z.topk(max(round(share * len(z)), 1), dim=0).values[-1].clamp(min=0)
    made = linear(z * (z >= least), decoder.weight)
    gain = ((made * x).sum() / made.square().sum()).nan_to_num(1.0).clamp(0.01, 1.0)
    encoder.weight.mul_(gain)
    if isinstance(coding, JumpReLU):
        coding.threshold.copy_(gain * least)
