"""What a step and a jump are in the mean over shifts of the threshold, without a library."""

import torch

WIDTH = 0.25


STEP = 2.0**-12
THRESHOLDS = [0.25, 0.375, 0.5]


def density():
    """Return a density of pre-activations over (−1, 1): points in the middle of even cells.

    Thresholds and the ends of their windows are ends of cells, so that sums over cells are exact.
    """
    z = (torch.arange(-(2**12), 2**12, dtype=torch.float64) + 0.5) * STEP
    return z[:, None].expand(-1, 3).contiguous()


def smoothed(function, z, threshold, width=WIDTH):
    """Return the mean of a function of (z, θ + u) over u uniform in ±½ε, with its derivative in θ.

    A step in z − θ − u has the mean clip((z − θ)/ε + ½, 0, 1), which is differentiable.
    """
    threshold = threshold.clone().requires_grad_()
    mean = ((z - threshold) / width + 0.5).clamp(0, 1)
    value = function(z, mean)
    (slope,) = torch.autograd.grad(value.sum(), threshold)
    return value.detach(), slope


def weights(z):
    """Return a smooth weight of each element, as a gradient of a loss is."""
    return 1.5 + torch.sin(3 * z) + 0.25 * z
