"""Gaussian dropout: each element is multiplied by a normal number."""

from __future__ import annotations

from regularizers.functional._noised import Noised, identity_noise, noised
from regularizers.functional._random import Generator, normal
from regularizers.functional._settings import rate_of
from regularizers.penalties.arrays import Array, namespace_of


def gaussian_dropout(
    x: Array, /, rate: float | None = None, rng: Generator = None, *, p: float | None = None
) -> Noised:
    r"""Multiply every element by normal noise of the mean and variance of dropout's.

    .. math:: y = n \odot x, \qquad n_i \sim \mathcal N\left(1, \frac{r}{1 - r}\right)

    Args:
        x: an array of a real floating type.
        rate: r in [0, 1), the rate of the dropout with the same variance; 0 returns `x` itself.
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
        >>> y, noise = functional.gaussian_dropout(np.ones(3), 0.2, np.random.default_rng(0))
        >>> y.round(2)
        array([1.06, 0.93, 1.32])

    Source: Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting",
    2014, section 10; Keras' `GaussianDropout`.
    """
    xp = namespace_of(x)
    rate = rate_of(rate, p)
    if rate == 0:
        return identity_noise(xp, x, x.shape)
    return noised(x, gaussian_dropout_noise(normal(xp, x, x.shape, rng), rate))


def gaussian_dropout_noise(z: Array, rate: float) -> Array:
    """Return noise of mean 1 and variance rate / (1 - rate) from standard normal numbers `z`."""
    return 1 + z * (rate / (1 - rate)) ** 0.5
