"""Vectors of norm 1."""

from __future__ import annotations

from dataclasses import dataclass

from regularizers.constraints._vectors import VectorConstraint
from regularizers.penalties.arrays import Array, Axes, Namespace, Side


@dataclass(frozen=True, repr=False)
class UnitNorm(VectorConstraint):
    r"""Vectors of norm 1: each is divided by its norm.

    .. math:: P(x)_g = \frac{x_g}{\|x_g\|}, \quad 0 \text{ where } x_g = 0

    There is one vector for each index along `axis`, as for `GroupLasso`, and its norm is over all
    other axes. A zero vector has no direction and stays zero. Keras' `UnitNorm(axis)` names the
    axes that are summed over, and divides by ‖x‖ + ε.

    `tangential` takes the radial part out of a gradient, which only changes a norm that the
    projection restores:

    .. math:: g_g - \frac{g_g \cdot x_g}{\|x_g\|^2}\, x_g

    Args:
        axis: the axis that numbers the vectors, or several; `()` if the array is one vector; of the
            weight of a module `"output"` for all that feeds one unit, or `"input"` for all that
            leaves one, such as the dictionary of a decoder.

    Raises:
        ConfigurationError: an axis that is none of these.

    Example:
        >>> import numpy as np
        >>> import regularizers as rz
        >>> kernel = np.array([[3.0, 4.0], [0.0, 0.0]])
        >>> unit = rz.UnitNorm(axis=0)
        >>> unit.project(kernel)
        array([[0.6, 0.8],
               [0. , 0. ]])
        >>> unit.tangential(np.array([[5.0, 0.0], [1.0, 1.0]]), kernel)
        array([[ 3.2, -2.4],
               [ 1. ,  1. ]])

    Source: Absil, Mahony and Sepulchre, "Optimization algorithms on matrix manifolds", 2008,
    section 3.6.
    """

    axis: Axes | Side

    def projection(self, x: Array, xp: Namespace) -> Array:
        return self.directions(x, xp)[0]

    def tangent(self, gradient: Array, x: Array, xp: Namespace) -> Array:
        direction, _ = self.directions(x, xp)
        within = self.axes_within(len(x.shape))
        # twice: the first time leaves a rounding of the radial part, which may be the larger one
        for _ in range(2):
            radial = xp.sum(gradient * direction, axis=within, keepdims=True)
            gradient = gradient - radial * direction
        return gradient
