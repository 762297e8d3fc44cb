"""Dropout of single elements."""

from __future__ import annotations

from regularizers.functional._noised import Noised, identity_noise, noised
from regularizers.functional._random import Generator, uniform
from regularizers.functional._settings import check_rate
from regularizers.penalties.arrays import Array, Namespace, namespace_of


def dropout(x: Array, /, rate: float, rng: Generator) -> Noised:
    r"""Set a share of the elements to zero and scale the rest up, so that the mean is kept.

    .. math:: y = \frac{m}{1 - r} \odot x, \qquad m_i \sim \mathrm{Bernoulli}(1 - r), \qquad
        \bar x = \frac{m}{1 - r} \odot \bar y

    In evaluation dropout is the identity: leave the call out, or pass a rate of 0, which returns
    `x` itself and draws nothing.

    Args:
        x: an array of a real floating type.
        rate: r, the fraction that is dropped, in [0, 1).
        rng: a `numpy.random.Generator`; for a PyTorch tensor a `torch.Generator`, or None for
            PyTorch's own; for a JAX array a key.

    Returns:
        `(y, noise)`, whose `vjp` takes a cotangent of y to the gradient for x.

    Shape:
        y and noise: that of x.

    Raises:
        ConfigurationError: a rate outside [0, 1), or a generator of another library.
        ArrayTypeError: an array that is not real floating point.

    Example:
        >>> import numpy as np
        >>> from regularizers import functional
        >>> dropped = functional.dropout(np.ones(6), 0.5, np.random.default_rng(0))
        >>> dropped.y
        array([2., 0., 0., 0., 2., 2.])
        >>> dropped.vjp(np.full(6, 3.0))
        array([6., 0., 0., 0., 6., 6.])

    Source: Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting",
    2014.
    """
    xp = namespace_of(x)
    check_rate(rate)
    if rate == 0:
        return identity_noise(xp, x, x.shape)
    return noised(x, dropout_noise(xp, uniform(xp, x, x.shape, rng), rate))


def dropout_noise(xp: Namespace, u: Array, rate: float) -> Array:
    """Return 1 / (1 - rate) where the uniform number `u` is at least `rate`, else 0."""
    return xp.astype(u >= rate, u.dtype) / (1 - rate)
