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
"""A law's state: floats or tensors of float64, as `init` returned them: of 0 dimensions, or of an
elementwise law of one."""


def check_state(state: object, where: str, shape: tuple[int, ...] = ()) -> Numbers:
    """Return the state of a law; `where` is the site in errors, `shape` that of its tensors.

    Raises:
        ConfigurationError: it is no mapping of names to numbers.
    """
    if not isinstance(state, Mapping) or not {type(name) for name in state} <= {str}:
        raise ConfigurationError(
            f"{where}: expected a state, numbers by name such as {{'integral': 0.0}}, got "
            f"{describe(state)}"
        )
    for name, value in state.items():
        if type(value) is not float and not is_number(value, shape):
            raise ConfigurationError(
                f"{where}: expected a state of real numbers or tensors of 0 dimensions, got "
                f"{describe(value)} for {name!r}"
            )
    return dict(state)


def check_update(
    returned: object, before: Numbers, where: str, shape: tuple[int, ...] = ()
) -> tuple[Numbers, Tensor]:
    """Return the state and the strength that a law returned; `before` is its last state.

    The value of a tensor is not read here; that of a plain number is checked.

    Raises:
        ConfigurationError: it is no pair, or the names of the state have changed.
        StrengthTypeError: the strength is no number.
        StrengthError: the strength is a plain number that is negative or not finite.
    """
    if not (isinstance(returned, tuple) and len(returned) == 2):
        raise ConfigurationError(
            f"{where}: expected two values, the new state and the strength, got "
            f"{describe(returned)}"
        )
    state, strength = check_state(returned[0], where, shape), returned[1]
    if state.keys() != before.keys():
        raise ConfigurationError(
            f"{where}: expected a state with the names that init returned, {list(before)}, got "
            f"{list(state)}"
        )
    if not is_number(strength, shape):
        raise StrengthTypeError(
            f"{where}: expected a strength that is a number or a tensor of 0 dimensions, got "
            f"{describe(strength)}"
        )
    if not isinstance(strength, Tensor) and not (math.isfinite(strength) and strength >= 0):
        raise no_strength(where, float(strength))
    after = {name: as_type_of(state[name], number) for name, number in before.items()}
    return after, torch.as_tensor(strength, dtype=torch.float64).detach()


def no_strength(where: str, strength: float) -> StrengthError:
    """Return the error of a strength that is negative or not finite."""
    return StrengthError(
        f"{where}: expected a strength that is finite and not negative, got {strength!r}; clip "
        f"it in the law"
    )


def is_number(value: object, shape: tuple[int, ...] = ()) -> bool:
    """Return whether `value` is a real number, or a tensor of them, without axes or of `shape`."""
    if isinstance(value, Tensor):
        return value.shape in ((), shape) and not value.is_complex()
    return type(value) is float or is_factor(value)


def as_type_of(value: Any, first: float | Tensor) -> float | Tensor:
    """Return a number as a tensor if `first` is a tensor, else as a float."""
    if isinstance(first, Tensor):
        if type(value) is Tensor and value.dtype == torch.float64 and not value.requires_grad:
            return value.to(first.device)
        return torch.as_tensor(value, dtype=torch.float64, device=first.device).detach()
    return float(value)
