"""The strength of a schedule at a step, checked."""

from __future__ import annotations

from regularizers.errors import StrengthError, StrengthTypeError
from regularizers.penalties.strength import Schedule, check_strength


def at_step(schedule: Schedule, step: int, site: str) -> float:
    """Return the strength that a schedule gives at a step.

    Args:
        schedule: the schedule.
        step: of the optimizer, counted from 0.
        site: the name of the site, for the message.

    Raises:
        StrengthError: it is negative, NaN or infinite.
        StrengthTypeError: it is not a number.

    Example:
        >>> import regularizers as rz
        >>> from regularizers.control import at_step
        >>> at_step(rz.LinearWarmup(1e-3, steps=100), 50, site="encoder")
        0.0005
    """
    strength = schedule.at(step)
    try:
        return check_strength(strength, f"{site}: {schedule!r} at step {step}")
    except (StrengthError, StrengthTypeError) as error:
        raise type(error)(f"{error}; mend the schedule") from None
