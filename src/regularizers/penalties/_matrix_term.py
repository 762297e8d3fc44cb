"""Penalties of a weight as a matrix: the base of `Orthogonal` and `Spectral`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from regularizers.errors import ConfigurationError
from regularizers.penalties._term import Term
from regularizers.penalties.arrays import Reduce, Side, is_side, normalise_axes, numbered


class Several(tuple[int, ...]):
    """The axes that number vectors together, where the layout of a weight has more than one."""


@dataclass(frozen=True, repr=False)
class MatrixTerm(Term):
    """A penalty of the matrix whose rows are the vectors of a weight, numbered by `axis`."""

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
