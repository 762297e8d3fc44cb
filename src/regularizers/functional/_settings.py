"""Checks of rates, block sizes, epsilons and momenta."""

from __future__ import annotations

import math
import numbers

from regularizers.errors import ConfigurationError


def check_rate(rate: object) -> None:
    """Raise unless `rate` is a number in [0, 1)."""
    if not (_is_number(rate) and 0 <= rate < 1):  # type: ignore[operator]
        raise ConfigurationError(
            f"rate: expected a number in [0, 1), the fraction dropped, got {rate!r} of type "
            f"{type(rate).__name__}; for a fraction p that is kept pass 1 - p"
        )


def check_block_size(block_size: object) -> None:
    """Raise unless `block_size` is an integer of 1 or more."""
    if type(block_size) is not int or block_size < 1:
        raise ConfigurationError(
            f"block_size: expected an integer of 1 or more, the side of the square that is "
            f"dropped, got {block_size!r}; a block of 1 drops single elements"
        )


def check_epsilon(epsilon: object) -> None:
    """Raise unless `epsilon` is a finite positive number."""
    if not (_is_number(epsilon) and 0 < epsilon < math.inf):  # type: ignore[operator]
        raise ConfigurationError(
            f"epsilon: expected a finite number above 0, which keeps a channel of variance 0 from "
            f"a division by 0, got {epsilon!r}; PyTorch's is 1e-5"
        )


def check_momentum(momentum: object) -> None:
    """Raise unless `momentum` is a number in [0, 1]."""
    if not (_is_number(momentum) and 0 <= momentum <= 1):  # type: ignore[operator]
        raise ConfigurationError(
            f"momentum: expected a number in [0, 1], the weight of the new batch, got "
            f"{momentum!r}; PyTorch's is 0.1 (Keras writes one minus it, 0.9)"
        )


def _is_number(value: object) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool)
