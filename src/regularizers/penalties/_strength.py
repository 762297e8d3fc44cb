"""The factor in front of a penalty."""

from __future__ import annotations

import math
import numbers

from regularizers.errors import StrengthError, StrengthTypeError


def check_strength(strength: object, name: str = "strength") -> float:
    """Return `strength` as a float; raise unless it is a finite number, zero or more."""
    if isinstance(strength, bool) or not isinstance(strength, numbers.Real):
        raise StrengthTypeError(
            f"{name}: expected a number, finite and not negative, got {strength!r} "
            f"of type {type(strength).__name__}"
        )
    try:
        value = float(strength)
    except OverflowError:
        value = math.inf
    if not (math.isfinite(value) and value >= 0):
        raise StrengthError(
            f"{name}: expected a finite number, zero or more, got {value!r}; "
            f"to turn a penalty off, give it strength 0 or leave it out"
        )
    return value
