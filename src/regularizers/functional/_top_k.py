"""The largest of each sample, or of a whole batch, as they are, and zeros."""

from __future__ import annotations

import math
from typing import NamedTuple

from regularizers.errors import ShapeError
from regularizers.functional._code_settings import check_k, check_mean_k
from regularizers.functional._constant import constant_of
from regularizers.functional._noised import check_cotangent
from regularizers.penalties.arrays import Array, Namespace, cast, namespace_of


class Selected(NamedTuple):
    r"""The positive elements of a selection, and zeros.

    .. math:: y = z \odot m, \qquad \bar z = \bar y \odot m

    Attributes:
        y: relu of the selected elements, in the shape and type of z.
        kept: m, which elements are selected and positive; boolean, in the shape of z.

    Example:
        >>> import numpy as np
        >>> from regularizers import functional
        >>> selected = functional.top_k(np.array([3.0, 1.0, 2.0]), 2)
        >>> selected.y, selected.kept
        (array([3., 0., 2.]), array([ True, False,  True]))
        >>> selected.vjp(np.ones(3))
        array([1., 0., 1.])
    """

    y: Array
    kept: Array

    def vjp(self, cotangent: Array, /) -> Array:
        """Return the gradient for z, given the one for y: that of the elements kept.

        Args:
            cotangent: the gradient of the loss for y, in the shape of y.

        Raises:
            ShapeError: a cotangent of another shape.
        """
        check_cotangent(self.y, cotangent)
        xp = namespace_of(cotangent)
        return cast(xp.where(self.kept, cotangent, xp.zeros_like(cotangent)), self.y.dtype)


def top_k(z: Array, k: int) -> Selected:
    r"""Return relu of the k largest pre-activations of each sample, and zeros for the others.

    .. math:: f_i = \max(0, z_i)\, 1[i \in \mathrm{top}_k(z)], \qquad
        \frac{\partial f_i}{\partial z_i} = 1[f_i > 0]

    The gradient is that of a selection, and exact wherever no two elements tie for the last place.
    Of elements that tie the first are kept, so that exactly k are.

    Args:
        z: pre-activations, an array of a real floating type whose last axis numbers the units.
        k: how many are kept, at most the number of units.

    Returns:
        `(y, kept)`, whose `vjp` takes a cotangent of y to the gradient for z.

    Shape:
        y, kept: that of z.

    Raises:
        ConfigurationError: a k that is no integer of 1 or more, or is above the number of units.
        ArrayTypeError: an array that is not real floating point.
        ShapeError: an array without axes.

    Example:
        >>> import numpy as np
        >>> from regularizers import functional
        >>> functional.top_k(np.array([[3.0, 1.0, 2.0], [-1.0, 4.0, -2.0]]), 2).y
        array([[3., 0., 2.],
               [0., 4., 0.]])

    Source: Gao et al., "Scaling and evaluating sparse autoencoders", 2024, `arXiv:2406.04093
    <https://arxiv.org/abs/2406.04093>`__.
    """
    xp = namespace_of(z)
    _check_has_units(z)
    check_k(k, z.shape[-1])
    return _selected(xp, z, _among_largest(xp, z, k))


def batch_top_k(z: Array, k: float) -> Selected:
    r"""Return the k·N largest positive pre-activations of a batch of N samples, and zeros.

    .. math:: f = \max(0, z)\, 1[z \in \mathrm{top}_{kN}(z)]

    A sample then has as many active units as it needs, and k in the mean. It is the function of
    training. In evaluation a sample must not depend on the others: `jump_relu` at a threshold.

    Args:
        z: pre-activations, an array of a real floating type; the last axis numbers the units, all
            others the samples.
        k: the mean number of active units; k·N is rounded.

    Returns:
        `(y, kept)`, whose `vjp` takes a cotangent of y to the gradient for z.

    Shape:
        y, kept: that of z.

    Raises:
        ConfigurationError: a k that is not above 0, or is above the number of units.
        ArrayTypeError: an array that is not real floating point.
        ShapeError: an array without axes.

    Example:
        >>> import numpy as np
        >>> from regularizers import functional
        >>> functional.batch_top_k(np.array([[3.0, 1.0, 2.0], [-1.0, 0.5, -2.0]]), 1.5).y
        array([[3., 1., 2.],
               [0., 0., 0.]])

    Source: Bussmann, Leask, Nanda, "BatchTopK sparse autoencoders", 2024, `arXiv:2412.06410
    <https://arxiv.org/abs/2412.06410>`__.
    """
    xp = namespace_of(z)
    _check_has_units(z)
    check_mean_k(k, z.shape[-1])
    flat = xp.reshape(z, (-1,))
    largest = _among_largest(xp, flat, round(k * math.prod(z.shape[:-1])))
    return _selected(xp, z, xp.reshape(largest, z.shape))


def _check_has_units(z: Array) -> None:
    if z.ndim == 0:
        raise ShapeError("z: expected an array whose last axis numbers the units, got a scalar")


def _among_largest(xp: Namespace, z: Array, k: int) -> Array:
    """Return which elements are among the k largest along the last axis, the first of equal ones.

    NaN is among them, so that it is not lost.
    """
    plain = constant_of(z)
    order = xp.argsort(plain, axis=-1, descending=True, stable=True)
    rank = xp.argsort(order, axis=-1, stable=True)
    return (rank < k) | xp.isnan(plain)


def _selected(xp: Namespace, z: Array, largest: Array) -> Selected:
    kept = largest & ~(constant_of(z) <= 0)  # NaN is kept
    return Selected(xp.where(kept, z, xp.zeros_like(z)), kept)
