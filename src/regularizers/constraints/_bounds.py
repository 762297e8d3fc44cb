"""Elements that lie between two bounds."""

from __future__ import annotations

import math
import numbers
from dataclasses import dataclass

from regularizers.constraints._constraint import Constraint
from regularizers.errors import ConfigurationError
from regularizers.penalties.arrays import Array, Namespace


@dataclass(frozen=True, repr=False)
class Bounds(Constraint):
    r"""Elements from a to b: those outside are moved to the nearer bound.

    .. math:: P(x)_i = \min(\max(x_i, a), b)

    The critic of a Wasserstein GAN with clipped weights has `Bounds(-0.01, 0.01)`.

    Args:
        low: a, a number; `-math.inf` for an upper bound alone.
        high: b, a number, not below a; `math.inf` for a lower bound alone.

    Raises:
        ConfigurationError: a bound that is no number, or bounds in the wrong order.

    Example:
        >>> import numpy as np
        >>> import regularizers as rz
        >>> rz.Bounds(-1.0, 1.0).project(np.array([0.5, -2.0, 3.0]))
        array([ 0.5, -1. ,  1. ])

    Source: Arjovsky, Chintala and Bottou, "Wasserstein GAN", 2017, `arXiv:1701.07875
    <https://arxiv.org/abs/1701.07875>`__, algorithm 1.
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        low, high = _checked(self.low, "low"), _checked(self.high, "high")
        if not low <= high or math.inf in (low, -high):
            raise ConfigurationError(
                f"Bounds: expected low of at most high, with a number between them, got {low} and "
                f"{high}"
            )
        object.__setattr__(self, "low", low)
        object.__setattr__(self, "high", high)

    def projection(self, x: Array, xp: Namespace) -> Array:
        return xp.clip(x, self.low, self.high)


def _checked(bound: object, name: str) -> float:
    """Return a bound as a float; raise unless it is a number, which may be infinite."""
    real = isinstance(bound, numbers.Real) and not isinstance(bound, bool)
    if not real or math.isnan(bound):  # type: ignore[arg-type]
        raise ConfigurationError(f"{name}: expected a number, or ±math.inf for none, got {bound!r}")
    return float(bound)  # type: ignore[arg-type]
