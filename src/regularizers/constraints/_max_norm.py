"""Vectors whose norm has an upper limit."""

from __future__ import annotations

from dataclasses import dataclass

from regularizers.constraints._vectors import VectorConstraint
from regularizers.penalties.arrays import Array, Axes, Namespace, Side, check_positive


@dataclass(frozen=True, repr=False)
class MaxNorm(VectorConstraint):
    r"""Vectors of a norm of at most c: longer ones are shortened, the others stay as they are.

    .. math:: P(x)_g = x_g \min\left(1, \frac{c}{\|x_g\|}\right)

    There is one vector for each index along `axis`, as for `GroupLasso`, and its norm is over all
    other axes. Keras' `MaxNorm(max_value, axis)` names the axes that are summed over, divides by
    ‖x‖ + ε, and so shortens every vector a little.

    Args:
        limit: c, finite and above 0.
        axis: the axis that numbers the vectors, or several; `()` if the array is one vector; of the
            weight of a module `"output"` for all that feeds one unit, or `"input"`.

    Raises:
        ConfigurationError: a limit that is not above 0, or an axis that is none of these.

    Example:
        >>> import numpy as np
        >>> import regularizers as rz
        >>> kernel = np.array([[3.0, 4.0], [0.3, 0.4]])  # one row for each output
        >>> rz.MaxNorm(1.0, axis=0).project(kernel)
        array([[0.6, 0.8],
               [0.3, 0.4]])

    Source: Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting",
    2014.
    """

    limit: float
    axis: Axes | Side

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "limit", check_positive(self.limit, "limit"))

    def projection(self, x: Array, xp: Namespace) -> Array:
        direction, norm = self.directions(x, xp)
        return xp.where(norm > self.limit, self.limit * direction, x)
