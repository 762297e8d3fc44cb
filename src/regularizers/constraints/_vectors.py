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
        """
        norm, scale = scaled_norm(xp, x, self.axes_within(len(x.shape)))
        return x * scale / nonzero(xp, norm), norm / scale

    def axes_within(self, ndim: int) -> tuple[int, ...]:
        """Return the axes of one vector, in an array of `ndim` dimensions."""
        vectors = normalise_axes(numbered(self.axis), ndim, "axis")
        return tuple([axis for axis in range(ndim) if axis not in vectors])
