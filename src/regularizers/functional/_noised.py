"""Multiplicative noise, and its vector-Jacobian product."""

from __future__ import annotations

from typing import NamedTuple

import array_api_compat

from regularizers.errors import ShapeError
from regularizers.penalties.arrays import Array, Namespace, cast, namespace_of


class Noised(NamedTuple):
    r"""An array times noise, and the noise it was multiplied by.

    .. math:: y = x \odot n, \qquad \bar x = \bar y \odot n

    It is a named tuple, `y, noise = dropout(...)`, and so passes through `jax.jit`.

    Attributes:
        y: x ⊙ n, in the shape and type of x.
        noise: n, in the type of x and a shape that broadcasts to x; its mean is 1.

    Example:
        >>> import numpy as np
        >>> from regularizers import functional
        >>> y, noise = functional.dropout(np.full(4, 3.0), 0.5, np.random.default_rng(0))
        >>> y, noise
        (array([6., 0., 0., 0.]), array([2., 0., 0., 0.]))
        >>> functional.Noised(y, noise).vjp(np.ones(4))
        array([2., 0., 0., 0.])
    """

    y: Array
    noise: Array

    def vjp(self, cotangent: Array, /) -> Array:
        """Return the gradient for x, given the one for y: multiplied by the noise of the forward.

        Args:
            cotangent: the gradient of the loss for y, in the shape of y.

        Shape:
            That of x.

        Raises:
            ShapeError: a cotangent of another shape.
        """
        check_cotangent(self.y, cotangent)
        return cast(cotangent * self.noise, self.y.dtype)


def noised(x: Array, noise: Array) -> Noised:
    """Return `x` times `noise`, with the noise cast to the dtype of `x`."""
    noise = cast(noise, x.dtype)
    return Noised(x * noise, noise)


def identity_noise(xp: Namespace, x: Array, shape: tuple[int, ...]) -> Noised:
    """Return `x` itself, with noise of ones."""
    return Noised(x, xp.ones(shape, dtype=x.dtype, device=array_api_compat.device(x)))


def check_cotangent(y: Array, cotangent: Array) -> None:
    """Raise unless `cotangent` is a floating array of the shape of `y`."""
    namespace_of(cotangent, "cotangent")
    if tuple(cotangent.shape) != tuple(y.shape):
        raise ShapeError(
            f"cotangent: expected the shape of y, {tuple(y.shape)}, got {tuple(cotangent.shape)}"
        )
