"""The factor in front of a penalty: a number, a schedule, or a target."""

from regularizers.penalties.strength._schedule import (
    Schedule,
    StrengthLike,
    as_strength,
    number_of,
    strength_at,
)
from regularizers.penalties.strength._strength import (
    Strength,
    check_strength,
    is_factor,
    scales,
)
from regularizers.penalties.strength._traced import is_number_of_jax, is_traced

__all__ = [
    "Schedule",
    "Strength",
    "StrengthLike",
    "as_strength",
    "check_strength",
    "is_factor",
    "is_number_of_jax",
    "is_traced",
    "number_of",
    "scales",
    "strength_at",
]
