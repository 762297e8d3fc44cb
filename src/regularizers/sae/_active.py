"""The number of active units: a number, or a schedule of it."""

from __future__ import annotations

import warnings

from regularizers.control import check_wanted
from regularizers.errors import ConfigurationError
from regularizers.penalties.strength import Schedule, StrengthLike

LATE = 10**9
"""A step after the end of every schedule."""


def check_active(active: StrengthLike, units: int, features: int) -> float | Schedule:
    """Return the active units as a number or a schedule; warn if they are more than the features.

    Raises:
        ConfigurationError: not above 0, or not below the number of units.
    """
    wanted = check_wanted(active, "active")
    for step in (0, LATE):
        number = number_at(wanted, step)
        if not 0 < number < units:
            raise ConfigurationError(
                f"active: expected more than 0 and fewer than the {units} units, got {number:g}; "
                f"a code in which all units are active is not sparse: lower active or raise units"
            )
        if number > features:
            warnings.warn(
                f"active: {number:g} active units for {features} features: so many directions "
                f"reconstruct any sample, and need mean nothing; usual are a few percent of the "
                f"features",
                stacklevel=4,
            )
            break
    return wanted


def number_at(active: float | Schedule, step: int | None) -> float:
    """Return the active units at a step of the training; None: at its end."""
    if not isinstance(active, Schedule):
        return active
    return active.at(LATE if step is None else step)
