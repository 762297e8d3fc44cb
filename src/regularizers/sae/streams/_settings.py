"""Checks of settings, now and against a saved state, and generators seeded by several numbers."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import torch

from regularizers.errors import ConfigurationError

_TYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


def check_count(name: str, value: object, least: int, meaning: str) -> None:
    """Raise unless `value` is an integer, `least` or more."""
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ConfigurationError(
            f"{name}: expected an integer of {least} or more, {meaning}, got {value!r}"
        )


def check_seed(seed: object) -> None:
    """Raise unless `seed` is an integer."""
    if not isinstance(seed, int) or isinstance(seed, bool):
        raise ConfigurationError(f"seed: expected an integer, got {seed!r}")


def check_dtype(dtype: object) -> None:
    """Raise unless `dtype` is a floating type of PyTorch or None."""
    if dtype is not None and dtype not in _TYPES:
        raise ConfigurationError(
            f"dtype: expected one of {', '.join(map(str, _TYPES))} or None, got {dtype!r}"
        )


def check_state(state: Mapping[str, Any], here: Mapping[str, Any], maker: str) -> None:
    """Raise unless a state was saved with the settings that are in use here.

    Raises:
        ConfigurationError: it is no state of `maker`, or a setting differs.
    """
    saved = state.get("settings")
    if not isinstance(saved, Mapping) or saved.keys() != here.keys():
        raise ConfigurationError(
            f"load_state_dict: expected what state_dict() of {maker} returned, got a dictionary "
            f"of {', '.join(map(str, state)) or 'nothing'}"
        )
    for name, value in here.items():
        if saved[name] != value:
            raise ConfigurationError(
                f"load_state_dict: {name}: the state was saved with {saved[name]!r}, here it is "
                f"{value!r}; use the same {name}"
            )


def generator_of(*numbers: int) -> torch.Generator:
    """Return a generator on the CPU whose seed depends on all the numbers."""
    digest = hashlib.sha256(repr(numbers).encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:7]))
