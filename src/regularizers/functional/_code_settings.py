"""Checks of what the layers of sparse codes are told: units, numbers of active ones, thresholds."""

from __future__ import annotations

import numbers

from regularizers.errors import ConfigurationError, ShapeError
from regularizers.penalties.arrays import Array


def check_units(units: object) -> int:
    """Return `units`; raise unless it is an integer of 1 or more."""
    if type(units) is not int or units < 1:
        raise ConfigurationError(
            f"units: expected an integer of 1 or more, the length of the last axis, got {units!r}"
        )
    return units


def check_of_units(values: Array, z: Array, name: str) -> None:
    """Raise unless `values` has one number for each unit, along the last axis of `z`."""
    if z.ndim == 0 or tuple(values.shape) != (z.shape[-1],):
        raise ShapeError(
            f"{name}: expected one number for each unit, along the last axis of the "
            f"pre-activations, whose shape is {tuple(z.shape)}, got shape {tuple(values.shape)}"
        )


def check_k(k: object, units: int | None = None) -> None:
    """Raise unless `k` is an integer of 1 or more, and at most the number of units."""
    if type(k) is not int or k < 1:
        raise ConfigurationError(
            f"k: expected an integer of 1 or more, the number of active units of each sample, got "
            f"{k!r}; a number that varies from sample to sample is BatchTopK's, whose k may be 2.5"
        )
    _check_fits(k, units)


def check_mean_k(k: object, units: int | None = None) -> None:
    """Raise unless `k` is a number above 0, and at most the number of units."""
    real = isinstance(k, numbers.Real) and not isinstance(k, bool)
    if not (real and k > 0):  # type: ignore[operator]
        raise ConfigurationError(
            f"k: expected a number above 0, the active units of a sample in the mean over the "
            f"batch, got {k!r}"
        )
    _check_fits(k, units)  # type: ignore[arg-type]


def _check_fits(k: float, units: int | None) -> None:
    if units is not None and not k <= units:
        raise ConfigurationError(
            f"k: expected at most the number of units, {units}, got {k!r}; take a smaller k or "
            f"more units"
        )
