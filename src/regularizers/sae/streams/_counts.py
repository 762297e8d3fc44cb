"""Checks of settings that are whole numbers, and generators seeded by several of them."""

from __future__ import annotations

import hashlib

import torch

from regularizers.errors import ConfigurationError


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


def generator_of(*numbers: int) -> torch.Generator:
    """Return a generator on the CPU whose seed depends on all the numbers."""
    digest = hashlib.sha256(repr(numbers).encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:7]))
