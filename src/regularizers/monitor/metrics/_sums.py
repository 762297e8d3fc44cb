"""Sums by name: the types they are kept in, and whether two of them go together."""

from __future__ import annotations

from typing import Any, TypeAlias

import torch
from torch import Tensor

from regularizers.errors import ConfigurationError, RegularizersError, ShapeError
from regularizers.modules import describe
from regularizers.monitor.metrics._block import widest

Sums: TypeAlias = dict[str, Tensor]
"""Sums and counts by name: float64 and int64, of shape (), (units,) or (units, units)."""

Numbers: TypeAlias = dict[str, Any]
"""Sums of which some are numbers of Python: counts that follow from a shape alone."""


class named:  # noqa: N801
    """Within it, an error of ours begins with the name of what it happened to."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, RegularizersError) and not str(error).startswith(f"{self._name}: "):
            raise type(error)(f"{self._name}: {error}") from None


_KEPT = (torch.float64, torch.int64)


def widened(statistics: object) -> Sums:
    """Return sums in the types that sums are kept in.

    Raises:
        ConfigurationError: they are no dict of tensors.
    """
    if isinstance(statistics, dict):
        wide = {
            name: x if x.dtype in _KEPT else _wide(x)
            for name, x in statistics.items()
            if isinstance(x, Tensor)
        }
        if wide and len(wide) == len(statistics):
            return wide
    raise ConfigurationError(
        f"statistics: expected a dict of tensors, sums over the samples, got {describe(statistics)}"
    )


def as_tensors(numbers: Numbers) -> Sums:
    """Return numbers as tensors, on the device of those that are."""
    device = next((x.device for x in numbers.values() if isinstance(x, Tensor)), None)
    return {name: _as_tensor(x, device) for name, x in numbers.items()}


def _as_tensor(x: Tensor | float, device: torch.device | None) -> Tensor:
    if isinstance(x, Tensor):
        return x
    return torch.tensor(x, dtype=torch.int64 if type(x) is int else torch.float64, device=device)


def beside(sums: Numbers, others: Numbers) -> Numbers:
    """Return `sums` on the devices of `others`."""
    for name, x in sums.items():
        other = others[name]
        if type(x) is type(other) is Tensor and x.device != other.device:
            moved = as_tensors(sums)
            return {name: tensor.to(other.device) for name, tensor in moved.items()}
    return sums


def _wide(x: Tensor) -> Tensor:
    return x.to(widest(x.device) if x.dtype.is_floating_point else torch.int64)


def divisible(x: Tensor) -> Tensor:
    """Return counts in float64, since PyTorch divides integers in float32."""
    if x.dtype.is_floating_point:
        return x
    return (x.cpu() if widest(x.device) != torch.float64 else x).to(torch.float64)


def check_alike(first: Numbers, then: Numbers) -> None:
    """Raise unless two sums have the same names and units.

    Raises:
        ConfigurationError, ShapeError: they differ.
    """
    if first.keys() != then.keys():
        raise ConfigurationError(
            f"expected the sums {', '.join(first)}, as before, got {', '.join(then)}"
        )
    for name, tensor in first.items():
        other = then[name]
        # one count for all units stands beside one for each where none is masked
        if type(tensor) is type(other) is Tensor and _differ(tensor, other):
            raise ShapeError(
                f"expected {tensor.shape[-1]} units, as before, got {other.shape[-1]}; a unit is "
                f"one index along all axes but the batch's, so where sequences have several "
                f"lengths say batch_axis=(0, 1), or reset() first"
            )


def _differ(first: Tensor, then: Tensor) -> bool:
    is_one_count = first.ndim != then.ndim and first.dtype == then.dtype == torch.int64
    return first.shape != then.shape and not is_one_count
