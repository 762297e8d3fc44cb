"""The plain formulas in PyTorch, written apart from the library, with gradients by autograd.

They read the fields of a penalty and nothing else of it.
"""

import dataclasses
import math

import numpy as np
import torch

from regularizers import (
    AR,
    L0,
    L1,
    L1L2,
    TAR,
    ActivityRegularization,
    Budget,
    ConfidencePenalty,
    Decorrelation,
    Elementwise,
    Entropy,
    FromFunction,
    GroupLasso,
    Hinge,
    Hoyer,
    Huber,
    KLSparsity,
    L2Norm,
    L2Squared,
    Laplacian,
    LogSum,
    Lp,
    Orthogonal,
    Spectral,
    Temporal,
    TotalVariation,
)


def plain(penalty, x):
    """Return the penalty of the float64 tensor `x`."""
    match penalty:
        case L0(strength=s):
            return s * _reduced(_by_sample(x, penalty), penalty)
        case L1(strength=s):
            return s * _reduced(_by_sample(x, penalty).abs(), penalty)
        case L2Squared(strength=s):
            return s * _reduced(_by_sample(x, penalty).square(), penalty)
        case Huber(strength=s, delta=delta):
            samples = _by_sample(x, penalty)
            loss = torch.nn.functional.huber_loss
            elements = loss(samples, torch.zeros_like(samples), reduction="none", delta=delta)
            return s * _reduced(elements, penalty)
        case Lp(strength=s, p=p):
            samples = _by_sample(x, penalty)
            powers = torch.where(samples == 0, 1.0, samples).abs() ** p
            return s * _reduced(torch.where(samples == 0, 0.0, powers), penalty)
        case LogSum(strength=s, epsilon=epsilon):
            return s * _reduced((_by_sample(x, penalty).abs() / epsilon).log1p(), penalty)
        case Hinge(strength=s, above=above, below=below):
            samples = _by_sample(x, penalty)
            over = 0 * samples if above is None else torch.relu(samples - above)
            under = 0 * samples if below is None else torch.relu(below - samples)
            return s * _reduced(over + under, penalty)
        case Hoyer(strength=s):
            samples = _by_sample(x, penalty)
            if penalty.reduce == "batch_mean":
                return s * _squared_ratios(samples).mean()
            count = x.numel() if penalty.reduce == "mean" else 1
            return s * _squared_ratios(samples.reshape(1, -1)).sum() / count
        case TotalVariation(strength=s):
            return s * _variation(x, penalty)
        case Laplacian(strength=s, graph=graph, axis=axis):
            nodes = _numbered(x, (axis,))
            weights = torch.frombuffer(bytearray.fromhex(graph.weights), dtype=x.dtype)
            squares = (nodes[:, None] - nodes).square().sum(dim=2)
            count = {"batch_mean": len(_by_sample(x, penalty)), "mean": x.numel()}
            return s * (weights * squares.flatten()).sum() / 2 / count.get(penalty.reduce, 1)
        case Elementwise(strength=s, element=element):
            return s * _reduced(element(torch, _by_sample(x, penalty)), penalty)
        case FromFunction(strength=s, function=function, additive=additive):
            samples = _by_sample(x, penalty)
            count = {"batch_mean": len(samples), "mean": x.numel()}.get(penalty.reduce, 1)
            return s * function(torch, x.reshape(-1) if additive == "elements" else x) / count
        case GroupLasso(strength=s):
            return s * _norms_of_groups(x, penalty)
        case Orthogonal(strength=s):
            return s * _dependence(_numbered(x, (penalty.axis,)), penalty)
        case Spectral(strength=s):
            return s * torch.linalg.matrix_norm(_numbered(x, (penalty.axis,)), ord=2) ** 2 / 2
        case Entropy(strength=s):
            return s * _entropy(x, penalty)
        case ConfidencePenalty(strength=s):
            return -s * _entropy(x, penalty)
        case Decorrelation(strength=s):
            covariances = torch.atleast_2d(torch.cov(_by_sample(x, penalty).T, correction=0))
            return s * covariances.triu(diagonal=1).square().sum()
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
        case Budget(strength=s, penalty=of, budget=budget):
            reading = {"reduce": penalty.reduce, "batch_axis": penalty.batch_axis}
            return s * torch.relu(plain(dataclasses.replace(of, **reading), x) - budget)
        case AR(alpha=alpha):
            return alpha * x.pow(2).mean()
        case TAR(beta=beta, time_axis=axis):
            return beta * x.diff(dim=axis).pow(2).mean()
        case Temporal(penalty=of, time_axis=axis):
            return plain(of, x.diff(dim=axis))
    return sum(plain(part, x) for part in penalty.parts)


def value_and_gradient(penalty, values):
    """Return the penalty of `values` in float64, and its gradient by autograd."""
    x = torch.tensor(np.asarray(values, dtype=np.float64), requires_grad=True)
    value = plain(penalty, x)
    (gradient,) = torch.autograd.grad(value, x)
    return value.item(), gradient.numpy()


def _by_sample(x, penalty):
    """Return `x` as a matrix of samples by units."""
    return _numbered(x, _axes(0 if penalty.batch_axis is None else penalty.batch_axis))


def _axes(axis):
    return axis if isinstance(axis, tuple) else (axis,)


def _numbered(x, axes):
    """Return `x` as a matrix, whose rows are numbered by `axes`."""
    if x.ndim == 0:
        return x.reshape(1, 1)
    front = torch.movedim(x, axes, tuple(range(len(axes))))
    return front.reshape(math.prod(front.shape[: len(axes)]), -1)


def _norms_of_groups(x, penalty):
    numbering, batch = _axes(penalty.axis), _axes(penalty.batch_axis or 0)
    if penalty.reduce == "batch_mean" and x.ndim:
        numbering = tuple({axis % x.ndim for axis in (*numbering, *batch)})
    groups = _numbered(x, numbering)
    norms = _scaled_norm(groups)
    if penalty.reduce == "batch_mean":
        return norms.sum() / len(_by_sample(x, penalty))
    return (norms / groups.shape[1] ** 0.5).mean() if penalty.reduce == "mean" else norms.sum()


def _squared_ratios(rows):
    """Return (Σ|x|)² / Σx² of each row, 0 of zeros."""
    largest = rows.detach().abs().amax(dim=1, keepdim=True)
    rows = rows / torch.where((largest > 0) & largest.isfinite(), largest, 1.0)
    squares = rows.square().sum(dim=1)
    return rows.abs().sum(dim=1).square() / torch.where(squares == 0, 1.0, squares)


def _variation(x, penalty):
    pairs = [x.diff(dim=axis).abs() for axis in _axes(penalty.axes)]
    total = sum(each.sum() for each in pairs)
    if penalty.reduce == "batch_mean":
        return total / len(_by_sample(x, penalty))
    return total / max(sum(p.numel() for p in pairs), 1) if penalty.reduce == "mean" else total


def _dependence(vectors, penalty):
    if not penalty.normalized:
        return (vectors @ vectors.T - torch.eye(len(vectors))).square().sum()
    norms = torch.linalg.vector_norm(vectors, dim=1, keepdim=True)
    units = vectors / torch.where(norms == 0, 1.0, norms)
    pairs = torch.combinations(torch.arange(len(vectors)))
    products = (units[pairs[:, 0]] * units[pairs[:, 1]]).sum(dim=1)
    return products.abs().mean() if len(pairs) else 0 * products.sum()


def _entropy(x, penalty):
    logits = x.movedim(penalty.axis, -1)
    entropies = torch.distributions.Categorical(logits=logits).entropy()
    count = len(_by_sample(x, penalty)) if penalty.reduce == "batch_mean" else 1
    return entropies.mean() if penalty.reduce == "mean" else entropies.sum() / count


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
