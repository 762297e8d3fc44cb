"""Elements that are zero or more."""

from __future__ import annotations

from dataclasses import dataclass

from regularizers.constraints._constraint import Constraint
from regularizers.penalties.arrays import Array, Namespace


@dataclass(frozen=True, repr=False)
class NonNegative(Constraint):
    r"""Elements that are zero or more: negative ones become 0. Keras calls it `NonNeg`.

    .. math:: P(x)_i = \max(x_i, 0)

    Example:
        >>> import numpy as np
        >>> import regularizers as rz
        >>> rz.NonNegative().project(np.array([1.5, -2.0]))
        array([1.5, 0. ])
    """

    def projection(self, x: Array, xp: Namespace) -> Array:
        return xp.where(x < 0, xp.zeros_like(x), x)
