"""The plain formulas in PyTorch, written apart from the library, with gradients by autograd.

They read the fields of a penalty and nothing else of it.
"""

import numpy as np
import torch

from regularizers import L1, L1L2, ActivityRegularization, KLSparsity, L2Norm, L2Squared


def plain(penalty, x):
    """Return the penalty of the float64 tensor `x`."""
    match penalty:
        case L1(strength=s):
            return s * _reduced(_by_sample(x, penalty).abs(), penalty)
        case L2Squared(strength=s):
            return s * _reduced(_by_sample(x, penalty).square(), penalty)
        case L2Norm(strength=s):
            return s * _norm(_by_sample(x, penalty), penalty)
        case L1L2(l1=s1, l2=s2):
            samples = _by_sample(x, penalty)
            return s1 * _reduced(samples.abs(), penalty) + s2 * _reduced(samples**2, penalty)
        case ActivityRegularization(strength=s, norm=norm):
            kind = {"l1": L1, "l2": L2Norm, "l2_squared": L2Squared}[norm]
            return plain(kind(s, reduce=penalty.reduce, batch_axis=penalty.batch_axis), x)
        case KLSparsity(strength=s):
            units = _divergence(_by_sample(x, penalty).mean(dim=0), penalty)
            return s * (units.mean() if penalty.reduce == "mean" else units.sum())
    return sum(plain(part, x) for part in penalty.parts)


def value_and_gradient(penalty, values):
    """Return the penalty of `values` in float64, and its gradient by autograd."""
    x = torch.tensor(np.asarray(values, dtype=np.float64), requires_grad=True)
    value = plain(penalty, x)
    (gradient,) = torch.autograd.grad(value, x)
    return value.item(), gradient.numpy()


def _by_sample(x, penalty):
    """Return `x` as a matrix of samples by units."""
    if x.ndim == 0:
        return x.reshape(1, 1)
    axis = 0 if penalty.batch_axis is None else penalty.batch_axis
    axes = axis if isinstance(axis, tuple) else (axis,)
    front = torch.movedim(x, axes, tuple(range(len(axes))))
    return front.flatten(end_dim=len(axes) - 1).reshape(-1, _units(front, len(axes)))


def _units(front, batch_axes):
    units = 1
    for extent in front.shape[batch_axes:]:
        units *= extent
    return units


def _reduced(elements, penalty):
    if penalty.reduce == "batch_mean":
        return elements.sum(dim=1).mean()
    return elements.mean() if penalty.reduce == "mean" else elements.sum()


def _norm(samples, penalty):
    if penalty.reduce == "batch_mean":
        return _scaled_norm(samples).mean()
    whole = _scaled_norm(samples.reshape(1, -1)).sum()
    return whole / samples.numel() ** 0.5 if penalty.reduce == "mean" else whole


def _scaled_norm(rows):
    """Return the norm of each row, brought near 1 first."""
    largest = rows.detach().abs().amax(dim=1, keepdim=True).clamp(min=1e-300)
    scale = torch.where(largest.isfinite(), largest, 1.0)
    return torch.linalg.vector_norm(rows / scale, dim=1) * scale.squeeze(1)


def _divergence(mean, penalty):
    """Return KL(target || mean), with its tangent outside of [epsilon, 1 - epsilon]."""
    rho, low, high = penalty.target, penalty.epsilon, 1 - penalty.epsilon

    def divergence(on, off):
        return rho * torch.log(rho / on) + (1 - rho) * torch.log((1 - rho) / off)

    def tangent(on, off):
        slope = (1 - rho) / off - rho / on
        at = divergence(*torch.tensor([on, off], dtype=torch.float64))
        return at + slope * (mean - on if on < off else off - (1 - mean))

    within = torch.where((mean > low) & (mean < high), mean, 0.5)
    inside = divergence(within, 1 - within)
    below, above = tangent(low, high), tangent(high, low)
    return torch.where(mean <= low, below, torch.where(mean >= high, above, inside))
