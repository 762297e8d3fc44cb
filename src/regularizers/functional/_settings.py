"""Checks of rates, probabilities, axes, block sizes, epsilons and momenta."""

from __future__ import annotations

import math
import numbers

from regularizers.errors import ConfigurationError


def rate_of(rate: float | None, p: float | None) -> float:
    """Return the rate, given under its own name or PyTorch's; raise unless it is in [0, 1)."""
    if p is None:
        check_rate(rate)
        return rate  # type: ignore[return-value]
    if rate is not None:
        raise ConfigurationError(
            f"rate, p: expected one of the two names of the fraction dropped, got rate={rate!r} "
            f"and p={p!r}; leave one out"
        )
    check_rate(p, "p")
    return p


def check_rate(rate: object, name: str = "rate") -> None:
    """Raise unless `rate` is a number in [0, 1)."""
    if not (_is_number(rate) and 0 <= rate < 1):  # type: ignore[operator]
        raise ConfigurationError(
            f"{name}: expected a number in [0, 1), the fraction dropped, got {rate!r} of type "
            f"{type(rate).__name__}; for a fraction p that is kept pass 1 - p"
        )


def check_kept(p: object) -> None:
    """Raise unless `p` is a number in (0, 1]."""
    if not (_is_number(p) and 0 < p <= 1):  # type: ignore[operator]
        raise ConfigurationError(
            f"p: expected a number in (0, 1], the probability that a branch is left as it is, got "
            f"{p!r} of type {type(p).__name__}; for a probability q of shaking it pass 1 - q"
        )


def check_std(std: object) -> None:
    """Raise unless `std` is a finite number, zero or more."""
    if not (_is_number(std) and 0 <= std < math.inf):  # type: ignore[operator]
        raise ConfigurationError(
            f"std: expected a finite number, zero or more, the standard deviation of the noise, "
            f"got {std!r} of type {type(std).__name__}"
        )


def check_shared_axes(axes: object) -> None:
    """Raise unless `axes` is an integer or a tuple of integers."""
    if not all(type(axis) is int for axis in (axes if isinstance(axes, tuple) else (axes,))):
        raise ConfigurationError(
            f"axes: expected an integer or a tuple of integers, the axes along which the mask is "
            f"the same, got {axes!r}; as in axes=(2, 3)"
        )


def check_depth(depth: object) -> None:
    """Raise unless `depth` is an integer of 1 or more."""
    if type(depth) is not int or depth < 1:
        raise ConfigurationError(
            f"depth: expected an integer of 1 or more, the number of residual blocks, got {depth!r}"
        )


def check_block_size(block_size: object) -> None:
    """Raise unless `block_size` is an integer of 1 or more."""
    if type(block_size) is not int or block_size < 1:
        raise ConfigurationError(
            f"block_size: expected an integer of 1 or more, the side of the square that is "
            f"dropped, got {block_size!r}; a block of 1 drops single elements"
        )


def check_classes(classes: object) -> None:
    """Raise unless `classes` is an integer of 2 or more."""
    if type(classes) is not int or classes < 2:
        raise ConfigurationError(
            f"classes: expected an integer of 2 or more, the number of classes, got {classes!r}"
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
