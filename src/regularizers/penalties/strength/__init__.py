"""The factor in front of a penalty: a number, a schedule, or a target."""

from regularizers.penalties.strength._schedule import (
    Schedule,
    StrengthLike,
    as_strength,
    number_of,
)
from regularizers.penalties.strength._strength import (
    Strength,
    check_strength,
    is_factor,
)

__all__ = [
    "Schedule",
    "Strength",
    "StrengthLike",
    "as_strength",
    "check_strength",
    "is_factor",
    "number_of",
]
