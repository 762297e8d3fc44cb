"""Sums of penalties that may lie on several devices."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn


def device_of(model: nn.Module) -> torch.device:
    """Return the device of the parameters of a model; the CPU if it has none."""
    first = next(model.parameters(), None)
    return torch.device("cpu") if first is None else first.device


def total(values: Iterable[Tensor], model: nn.Module) -> Tensor:
    """Return the sum of penalties, which may lie on several devices; 0 if there are none."""
    parts = list(values)
    if not parts:
        return torch.zeros((), device=device_of(model))
    result = parts[0]
    for part in parts[1:]:
        result = result + part.to(result.device)
    return result
