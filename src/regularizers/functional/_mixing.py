"""What mixup and CutMix share: the weight, the partners, and the weighted sums."""

from __future__ import annotations

import math
from typing import NamedTuple

from regularizers.errors import ShapeError
from regularizers.penalties.arrays import Array, Namespace, cast, widen


class Mixed(NamedTuple):
    """Mixed inputs and their labels: `inputs, labels = mixup(...)`.

    Attributes:
        inputs: in the shape and type of the inputs that were mixed.
        labels: the probability of each class, of shape (N, classes).

    Example:
        >>> import numpy as np
        >>> from regularizers import functional
        >>> x, y = np.eye(3), np.array([0, 1, 2])
        >>> mixed = functional.mixup(x, y, 1.0, np.random.default_rng(7), classes=3)
        >>> mixed.inputs.shape, mixed.labels.sum(axis=1)
        ((3, 3), array([1., 1., 1.]))
    """

    inputs: Array
    labels: Array


def check_batch(inputs: Array, spatial_axes: int = 0) -> None:
    """Raise unless there are two samples or more, with as many axes of space."""
    if inputs.ndim < 1 + spatial_axes:
        expected = "(N, ..., H, W)" if spatial_axes else "(N, ...)"
        raise ShapeError(
            f"inputs: expected shape {expected}, samples first, got {tuple(inputs.shape)}"
        )
    if inputs.shape[0] < 2:
        raise ShapeError(
            f"inputs: expected two samples or more, since each is mixed with another, got "
            f"{inputs.shape[0]} in shape {tuple(inputs.shape)}; leave such a batch as it is"
        )


def symmetric_beta(xp: Namespace, u: Array, v: Array, alpha: float) -> Array:
    r"""Return a number from Beta(α, α), from two uniform numbers in [0, 1).

    With :math:`w = (1 - u)^{1 / \alpha}` and :math:`c = \cos 2 \pi v` it is
    :math:`\tfrac12 (1 + c \sqrt{(1 - w) / s})`, where :math:`s = w + (1 - w) c^2`, exactly and for
    every α: the second term is t / √(2α + t²) for Student's t with 2α degrees of freedom.

    Source: Bailey, "Polar generation of random variates with the t-distribution", 1994; Devroye,
    "Random variate generation in one line of code", 1996.
    """
    exponent = xp.log1p(-u) / alpha
    w, rest = xp.exp(exponent), -xp.expm1(exponent)
    c = xp.cos(2 * math.pi * v)
    s = w + rest * c * c
    # the smaller of the number and one minus it, without cancellation
    small = w / s / (2 + 2 * xp.abs(c) * xp.sqrt(rest / s))
    return xp.where(c < 0, small, 1 - small)


def taken(xp: Namespace, x: Array, partners: Array) -> Array:
    """Return the samples of `x` in the order of `partners`."""
    return xp.take(x, partners, axis=0)


def weighted(xp: Namespace, x: Array, partners: Array, weight: Array) -> Array:
    """Return weight · x + (1 − weight) · its partners, in float32 or wider and then in its type."""
    wide = widen(xp, x)
    weight = cast(weight, wide.dtype)
    return cast(weight * wide + (1 - weight) * taken(xp, wide, partners), x.dtype)
