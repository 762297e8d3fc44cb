"""What a step and a jump are in the mean over shifts of the threshold, without a library."""

import torch

WIDTH = 0.25


def density(shape=(20_001, 3)):
    """Return pre-activations that lie as evenly as can be, and the step between them."""
    count = shape[0]
    z = torch.linspace(-1, 1, count, dtype=torch.float64)
    return z[:, None].expand(shape).contiguous(), 2 / (count - 1)


def smoothed(function, z, threshold, width=WIDTH):
    """Return the mean of a function of (z, θ + u) over u uniform in ±½ε, with its derivative in θ.

    A step in z − θ − u has the mean clip((z − θ)/ε + ½, 0, 1), which is differentiable.
    """
    threshold = threshold.clone().requires_grad_()
    mean = ((z - threshold) / width + 0.5).clamp(0, 1)
    value = function(z, mean)
    (slope,) = torch.autograd.grad(value, threshold)
    return value.detach(), slope


def weights(z):
    """Return a smooth weight of each element, as a gradient of a loss is."""
    return 1.5 + torch.sin(3 * z) + 0.25 * z
