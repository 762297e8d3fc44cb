"""Constraints of the norms of vectors, such as all weights that feed one unit."""

from __future__ import annotations

from regularizers.constraints._constraint import Constraint
from regularizers.penalties.arrays import (
    Array,
    Axes,
    Namespace,
    Side,
    check_axes,
    is_side,
    nonzero,
    normalise_axes,
    numbered,
    scaled_norm,
)


class VectorConstraint(Constraint):
    """A constraint of the Euclidean norms of the vectors of an array.

    There is one vector for each index along `axis`, and its norm is over all other axes. Norms
    neither overflow nor vanish, whatever the size of the elements.

    Args:
        axis: the axis that numbers the vectors, or several; `()` if the array is one vector; of the
            weight of a module `"output"` or `"input"`. A subclass declares it as a field.

    Example:
        >>> from dataclasses import dataclass
        >>> import numpy as np
        >>> from regularizers.constraints import VectorConstraint
        >>> @dataclass(frozen=True)
        ... class NormTwo(VectorConstraint):
        ...     axis: int = 0
        ...
        ...     def projection(self, x, xp):
        ...         direction, norm = self.directions(x, xp)
        ...         return 2 * direction
        >>> NormTwo().project(np.array([[3.0, 4.0], [0.0, 0.5]]))
        array([[1.2, 1.6],
               [0. , 2. ]])
    """

    axis: Axes | Side

    def __post_init__(self) -> None:
        check_axes(self.axis)

    @property
    def by_role(self) -> bool:
        """True where the axis is named by its role in a weight and has no number yet."""
        return is_side(self.axis)

    def check_shape(self, shape: tuple[int, ...]) -> None:
        self.axes_within(len(shape))

    def directions(self, x: Array, xp: Namespace) -> tuple[Array, Array]:
        """Return each vector divided by its norm, and the norms with their axes kept as ones.

        A zero vector has no direction and stays zero.

        Args:
            x: an array of the type float32 or wider.
            xp: the namespace of its library.
        """
        norm, scale = scaled_norm(xp, x, self.axes_within(len(x.shape)))
        return x * scale / nonzero(xp, norm), norm / scale

    def axes_within(self, ndim: int) -> tuple[int, ...]:
        """Return the axes of one vector, in an array of `ndim` dimensions.

        Args:
            ndim: the number of dimensions of the array.
        """
        vectors = normalise_axes(numbered(self.axis), ndim, "axis")
        return tuple([axis for axis in range(ndim) if axis not in vectors])
