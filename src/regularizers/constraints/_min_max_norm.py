"""Vectors whose norm lies between two limits."""

from __future__ import annotations

from dataclasses import dataclass, field

from regularizers.constraints._vectors import VectorConstraint
from regularizers.errors import ConfigurationError
from regularizers.penalties.arrays import (
    Array,
    Axes,
    Namespace,
    Side,
    check_not_negative,
    check_positive,
)


@dataclass(frozen=True, repr=False)
class MinMaxNorm(VectorConstraint):
    r"""Vectors of a norm from a to b: shorter ones are lengthened, longer ones shortened.

    .. math:: P(x)_g = \frac{x_g}{\|x_g\|} \left(r \min(\max(\|x_g\|, a), b)
        + (1 - r) \|x_g\|\right)

    There is one vector for each index along `axis`, as for `GroupLasso`, and its norm is over all
    other axes. A zero vector has no direction and stays zero, whatever a is. Keras'
    `MinMaxNorm(min_value, max_value, rate, axis)` names the axes that are summed over, and divides
    by ‖x‖ + ε.

    Args:
        low: a, finite and not negative.
        high: b, finite and above 0, not below a.
        rate: r, the part of the way to the limits that one projection goes, above 0 and at most 1.
            Below 1 it is no projection: the limits are approached, and reached after many steps.
        axis: the axis that numbers the vectors, or several; `()` if the array is one vector; of the
            weight of a module `"output"` for all that feeds one unit, or `"input"`.

    Raises:
        ConfigurationError: a limit, rate or axis that is none of these.

    Example:
        >>> import numpy as np
        >>> import regularizers as rz
        >>> kernel = np.array([[3.0, 4.0], [0.06, 0.08], [0.3, 0.4]])
        >>> rz.MinMaxNorm(0.2, 1.0, axis=0).project(kernel)
        array([[0.6 , 0.8 ],
               [0.12, 0.16],
               [0.3 , 0.4 ]])
    """

    low: float
    high: float
    rate: float = 1.0
    axis: Axes | Side = field(kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "low", check_not_negative(self.low, "low"))
        object.__setattr__(self, "high", check_positive(self.high, "high"))
        object.__setattr__(self, "rate", check_positive(self.rate, "rate"))
        if self.low > self.high:
            raise ConfigurationError(
                f"MinMaxNorm: expected low of at most high, got {self.low} and {self.high}"
            )
        if self.rate > 1:
            raise ConfigurationError(
                f"rate: expected a number above 0 and at most 1, the part of the way that one "
                f"projection goes, got {self.rate}"
            )

    def projection(self, x: Array, xp: Namespace) -> Array:
        direction, norm = self.directions(x, xp)
        wanted = xp.clip(norm, self.low, self.high)
        moved = self.rate * wanted * direction + (1 - self.rate) * x
        return xp.where(wanted == norm, x, moved)
