"""What a law returned, as plain numbers, if that is what it is."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from torch import Tensor

from regularizers.errors import ConfigurationError, StrengthError, StrengthTypeError
from regularizers.modules import describe
from regularizers.penalties.strength import is_factor


def check_state(state: object, where: str) -> dict[str, float]:
    """Return the numbers of a law's state; `where` is for errors.

    Raises:
        ConfigurationError: it holds something else than numbers by name.
    """
    if not isinstance(state, Mapping) or not all(isinstance(name, str) for name in state):
        raise ConfigurationError(
            f"{where}: expected a state, numbers by name such as {{'integral': 0.0}}, got "
            f"{describe(state)}"
        )
    numbers = {name: _number(value) for name, value in state.items()}
    for name, number in numbers.items():
        if number is None:
            raise ConfigurationError(
                f"{where}: expected a state of real numbers or tensors of 0 dimensions, got "
                f"{describe(state[name])} for {name!r}"
            )
    return {name: number for name, number in numbers.items() if number is not None}


def check_update(
    returned: object, names: Iterable[str], where: str
) -> tuple[dict[str, float], float]:
    """Return the state and the strength that a law returned after a step.

    Raises:
        ConfigurationError: no pair, or a state of other names.
        StrengthTypeError, StrengthError: a strength that is no number, negative or not finite.
    """
    if not (isinstance(returned, tuple) and len(returned) == 2):
        raise ConfigurationError(
            f"{where}: expected two values, the new state and the strength, got "
            f"{describe(returned)}"
        )
    state = check_state(returned[0], where)
    if state.keys() != set(names):
        raise ConfigurationError(
            f"{where}: expected a state of the names that init gave it, {list(names)}, got "
            f"{list(state)}"
        )
    strength = _number(returned[1])
    if strength is None:
        raise StrengthTypeError(
            f"{where}: expected a strength that is a number or a tensor of 0 dimensions, got "
            f"{describe(returned[1])}"
        )
    if not (math.isfinite(strength) and strength >= 0):
        raise StrengthError(
            f"{where}: expected a strength that is finite and not negative, got {strength!r}; clip "
            f"it in the law"
        )
    return state, strength


def _number(value: Any) -> float | None:
    """Return a real number or a tensor of 0 dimensions as a float; None for anything else."""
    if isinstance(value, Tensor):
        return None if value.ndim or value.is_complex() else float(value)
    return float(value) if is_factor(value) else None
