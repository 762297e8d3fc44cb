"""Dropout of single elements."""

from __future__ import annotations

from regularizers.functional._noised import Noised, identity_noise, noised
from regularizers.functional._random import Generator, uniform
from regularizers.functional._settings import rate_of
from regularizers.penalties.arrays import Array, Namespace, namespace_of


def dropout(
    x: Array, /, rate: float | None = None, rng: Generator = None, *, p: float | None = None
) -> Noised:
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
        p: PyTorch's name for the rate; one of the two is given.

    Returns:
        `(y, noise)`, whose `vjp` takes a cotangent of y to the gradient for x.

    Shape:
        y and noise: that of x.

    Raises:
        ConfigurationError: a rate outside [0, 1), both a rate and p, or a generator of another
            library.
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
    return dropped(xp, x, x.shape, rate_of(rate, p), rng)


def dropped(xp: Namespace, x: Array, shape: tuple[int, ...], rate: float, rng: Generator) -> Noised:
    """Return `x` times dropout noise of a shape; at a rate of 0 `x` itself."""
    if rate == 0:
        return identity_noise(xp, x, shape)
    return noised(x, dropout_noise(xp, uniform(xp, x, shape, rng), rate))


def dropout_noise(xp: Namespace, u: Array, rate: float) -> Array:
    """Return 1 / (1 - rate) where the uniform number `u` is at least `rate`, else 0."""
    return xp.astype(u >= rate, u.dtype) / (1 - rate)
