"""Penalties of a weight as a matrix: the base of `Orthogonal` and `Spectral`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from regularizers.errors import ConfigurationError
from regularizers.penalties._term import Term
from regularizers.penalties.arrays import Reduce, Side, is_side, normalise_axes, numbered


class Several(tuple[int, ...]):
    """The axes that number vectors together, where the layout of a weight has more than one.

    Example:
        >>> import numpy as np
        >>> import regularizers as rz
        >>> from regularizers.penalties import Several
        >>> kernel = np.eye(4).reshape(2, 2, 4)
        >>> float(rz.Orthogonal(1.0, axis=0)(kernel))  # two rows of norm √2
        2.0
        >>> float(rz.Orthogonal(1.0, axis=Several((0, 1)))(kernel))  # four orthonormal rows
        0.0
    """


@dataclass(frozen=True, repr=False)
class MatrixTerm(Term):
    """A penalty of the matrix whose rows are the vectors of a weight, numbered by `axis`.

    Args:
        strength: s, finite and not negative; a number, a schedule or a target.
        axis: the axis that numbers the rows; of the weight of a module `"output"` or `"input"`.
        reduce: `"sum"` or None, which are the same: it is no sum over elements to average.
        batch_axis: None. A kernel has no samples.

    Raises:
        ConfigurationError: an axis, a `reduce` or a `batch_axis` that is none of these.

    Example:
        >>> from dataclasses import dataclass
        >>> import numpy as np
        >>> from regularizers.penalties import MatrixTerm
        >>> @dataclass(frozen=True)
        ... class Nuclear(MatrixTerm):  # the sum of the singular values
        ...     def statistic(self, x, frame):
        ...         u, values, v = frame.xp.linalg.svd(x, full_matrices=False)
        ...         return frame.xp.sum(values), (u @ v,)
        ...
        ...     def pullback(self, x, saved, cotangent, frame):
        ...         return cotangent * saved[0]
        >>> float(Nuclear(1.0)(np.diag([3.0, 2.0])))
        5.0
        >>> Nuclear(1.0).gradient(np.diag([3.0, 2.0]))
        array([[1., 0.],
               [0., 1.]])
    """

    axis: int | Side | Several = 0

    for_weights_only: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        name = type(self).__name__
        if not (type(self.axis) is int or is_side(self.axis) or isinstance(self.axis, Several)):
            raise ConfigurationError(
                f"axis: expected an integer, 'output' or 'input', got {self.axis!r}"
            )
        if self.reduce not in (None, "sum"):
            raise ConfigurationError(
                f"reduce: expected 'sum' or None of {name}, which is no sum over elements to "
                f"average, got {self.reduce!r}; divide the strength instead"
            )
        if self.batch_axis is not None:
            raise ConfigurationError(
                f"batch_axis: expected None of {name}, since a kernel has no samples, "
                f"got {self.batch_axis!r}; the vectors are numbered by axis="
            )

    @property
    def reductions(self) -> tuple[Reduce, ...]:
        return ("sum",)

    @property
    def by_role(self) -> bool:
        return is_side(self.axis)

    @property
    def adds_over_units(self) -> bool:
        return False

    def check_shape(self, shape: tuple[int, ...]) -> None:
        normalise_axes(numbered(self.axis), len(shape), "axis")
