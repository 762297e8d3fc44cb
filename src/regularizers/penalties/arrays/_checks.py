"""Settings of a penalty beside its strength."""

from __future__ import annotations

import math
import numbers

from regularizers.errors import ConfigurationError


def check_positive(value: object, name: str) -> float:
    """Return `value` as a float; raise unless it is a finite number above 0."""
    real = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not (real and 0 < float(value) < math.inf):  # type: ignore[arg-type]
        raise ConfigurationError(f"{name}: expected a finite number above 0, got {value!r}")
    return float(value)  # type: ignore[arg-type]


def check_not_negative(value: object, name: str) -> float:
    """Return `value` as a float; raise unless it is a finite number, zero or more."""
    real = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not (real and 0 <= float(value) < math.inf):  # type: ignore[arg-type]
        raise ConfigurationError(f"{name}: expected a finite number, zero or more, got {value!r}")
    return float(value)  # type: ignore[arg-type]


def check_finite(value: object, name: str) -> float:
    """Return `value` as a float; raise unless it is a finite number."""
    real = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not (real and math.isfinite(float(value))):  # type: ignore[arg-type]
        raise ConfigurationError(f"{name}: expected a finite number, got {value!r}")
    return float(value)  # type: ignore[arg-type]
