"""Gaussian noise, added to each element."""

from __future__ import annotations

from typing import NamedTuple

from regularizers.functional._noised import check_cotangent
from regularizers.functional._random import Generator, normal
from regularizers.functional._settings import check_std
from regularizers.penalties.arrays import Array, cast, namespace_of


class NoiseAdded(NamedTuple):
    r"""An array plus noise, and the noise that was added.

    .. math:: y = x + n, \qquad \bar x = \bar y

    It is a named tuple, `y, noise = gaussian_noise(...)`, and so passes through `jax.jit`.

    Attributes:
        y: x + n, in the shape and type of x.
        noise: n, in the shape and type of x; its mean is 0.

    Example:
        >>> import numpy as np
        >>> from regularizers import functional
        >>> added = functional.gaussian_noise(np.ones(3), 0.1, np.random.default_rng(0))
        >>> (added.y - added.noise).round(6), added.vjp(np.full(3, 2.0))
        (array([1., 1., 1.]), array([2., 2., 2.]))
    """

    y: Array
    noise: Array

    def vjp(self, cotangent: Array, /) -> Array:
        """Return the gradient for x, given the one for y: the same.

        Args:
            cotangent: the gradient of the loss for y, in the shape of y.

        Shape:
            That of x.

        Raises:
            ShapeError: a cotangent of another shape.
        """
        check_cotangent(self.y, cotangent)
        return cast(cotangent, self.y.dtype)


def gaussian_noise(x: Array, /, std: float, rng: Generator = None) -> NoiseAdded:
    r"""Add normal noise of a stated standard deviation to every element.

    .. math:: y = x + n, \qquad n_i \sim \mathcal N(0, \sigma^2)

    Args:
        x: an array of a real floating type.
        std: σ, the standard deviation in the unit of x; 0 returns `x` itself.
        rng: a `numpy.random.Generator`; for a PyTorch tensor a `torch.Generator`, or None for
            PyTorch's own; for a JAX array a key.

    Returns:
        `(y, noise)`, whose `vjp` takes a cotangent of y to the gradient for x.

    Shape:
        y and noise: that of x.

    Raises:
        ConfigurationError: a σ that is negative or not finite, or a generator of another library.
        ArrayTypeError: an array that is not real floating point.

    Example:
        >>> import numpy as np
        >>> from regularizers import functional
        >>> functional.gaussian_noise(np.ones(3), 0.1, np.random.default_rng(0)).y.round(2)
        array([1.01, 0.99, 1.06])

    Source: Bishop, "Training with noise is equivalent to Tikhonov regularization", 1995; Keras'
    `GaussianNoise`.
    """
    xp = namespace_of(x)
    check_std(std)
    if std == 0:
        return NoiseAdded(x, xp.zeros_like(x))
    noise = cast(std * normal(xp, x, x.shape, rng), x.dtype)
    return NoiseAdded(x + noise, noise)
