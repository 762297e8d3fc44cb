"""Checks of the state and the strength that a law returns."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, TypeAlias

import torch
from torch import Tensor

from regularizers.errors import ConfigurationError, StrengthError, StrengthTypeError
from regularizers.modules import describe
from regularizers.penalties.strength import is_factor

Numbers: TypeAlias = dict[str, float | Tensor]
"""A law's state: floats or 0-dimensional tensors of float64, as `init` returned them."""


def check_state(state: object, where: str) -> Numbers:
    """Return the initial state of a law; `where` is the site in errors.

    Raises:
        ConfigurationError: it is no mapping of names to numbers.
    """
    if not isinstance(state, Mapping) or not {type(name) for name in state} <= {str}:
        raise ConfigurationError(
            f"{where}: expected a state, numbers by name such as {{'integral': 0.0}}, got "
            f"{describe(state)}"
        )
    for name, value in state.items():
        if type(value) is not float and not is_number(value):
            raise ConfigurationError(
                f"{where}: expected a state of real numbers or tensors of 0 dimensions, got "
                f"{describe(value)} for {name!r}"
            )
    return {n: v if type(v) is float else as_type_of(v, v) for n, v in state.items()}


def check_update(returned: object, before: Numbers, where: str) -> tuple[Numbers, float]:
    """Return the state and the strength that a law returned; `before` is its last state.

    Raises:
        ConfigurationError: it is no pair, or the names of the state have changed.
        StrengthTypeError, StrengthError: the strength is no number, negative or not finite.
    """
    if not (isinstance(returned, tuple) and len(returned) == 2):
        raise ConfigurationError(
            f"{where}: expected two values, the new state and the strength, got "
            f"{describe(returned)}"
        )
    state = check_state(returned[0], where)
    if state.keys() != before.keys():
        raise ConfigurationError(
            f"{where}: expected a state with the names that init returned, {list(before)}, got "
            f"{list(state)}"
        )
    if not is_number(returned[1]):
        raise StrengthTypeError(
            f"{where}: expected a strength that is a number or a tensor of 0 dimensions, got "
            f"{describe(returned[1])}"
        )
    strength = float(returned[1])
    if not (math.isfinite(strength) and strength >= 0):
        raise StrengthError(
            f"{where}: expected a strength that is finite and not negative, got {strength!r}; clip "
            f"it in the law"
        )
    after: Numbers = {}
    for name, number in before.items():
        new = state[name]
        after[name] = new if type(new) is type(number) is float else as_type_of(new, number)
    return after, strength


def is_number(value: object) -> bool:
    """Return whether `value` is a real number, or a tensor that holds one."""
    if isinstance(value, Tensor):
        return value.ndim == 0 and not value.is_complex()
    return type(value) is float or is_factor(value)


def as_type_of(value: Any, first: float | Tensor) -> float | Tensor:
    """Return a number as a tensor if `first` is a tensor, else as a float."""
    if isinstance(first, Tensor):
        return torch.as_tensor(value, dtype=torch.float64, device=first.device).detach()
    return float(value)
