"""The factor in front of a penalty."""

from __future__ import annotations

import math
import numbers
from abc import ABC, abstractmethod
from typing import ClassVar

from regularizers.errors import StrengthError, StrengthTypeError
from regularizers.penalties.strength._traced import is_traced


class Strength(ABC):
    """A strength that is not a number; its value at a step is state of a Regularization.

    Example:
        >>> import regularizers as rz
        >>> from regularizers.penalties import Strength
        >>> penalty = rz.L1(2 * rz.LinearWarmup(1e-3, steps=1000))
        >>> isinstance(penalty.strength, Strength), isinstance(rz.TargetActive(10), Strength)
        (True, True)
        >>> penalty.at(500)
        L1(0.001)
    """

    __array_ufunc__: ClassVar[None] = None  # so that numpy.float64(2) * strength asks us

    @abstractmethod
    def __mul__(self, factor: float) -> Strength:
        """Return the strength that is `factor` times this one at every step."""

    def __rmul__(self, factor: float) -> Strength:
        return self.__mul__(factor)


def check_strength(strength: object, name: str = "strength") -> float:
    """Return `strength` as a float; raise unless it is a finite number, zero or more."""
    if not is_factor(strength):
        raise StrengthTypeError(no_number(strength, name))
    try:
        value = float(strength)  # type: ignore[arg-type]
    except OverflowError:
        value = math.inf
    if not (math.isfinite(value) and value >= 0):
        raise StrengthError(
            f"{name}: expected a finite number, zero or more, got {value!r}; "
            f"to turn a penalty off, give it strength 0 or leave it out"
        )
    return value


def is_factor(factor: object) -> bool:
    """Return whether a strength can be multiplied by `factor`: a real number."""
    return isinstance(factor, numbers.Real) and not isinstance(factor, bool)


def scales(factor: object) -> bool:
    """Return whether a penalty can be multiplied by `factor`: a number, which JAX may trace."""
    return is_factor(factor) or is_traced(factor)


def no_number(strength: object, name: str) -> str:
    """Return the message for a strength that is not a number."""
    return (
        f"{name}: expected a number, finite and not negative, got {strength!r} "
        f"of type {type(strength).__name__}"
    )
