"""Removes units: rows of a layer, what belongs to them on the way, and columns of the reader."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from regularizers.pruning._passing import NORMS


def keep_outputs(layer: nn.Module, kept: Tensor) -> None:
    """Keep some of the outputs of a linear layer or convolution."""
    for name in ("weight", "bias"):
        _keep(layer, name, kept)
    setattr(layer, "out_features" if isinstance(layer, nn.Linear) else "out_channels", len(kept))


def keep_passed(module: Any, kept: Tensor, units: int) -> None:
    """Keep some of the units of a module between two layers."""
    if type(module) in NORMS:
        positions = _positions(kept, module.num_features // units)
        for name in ("weight", "bias", "running_mean", "running_var"):
            _keep(module, name, positions)
        module.num_features = len(positions)


def keep_inputs(reader: Any, kept: Tensor, units: int, added: Tensor) -> None:
    """Keep some of the inputs of a linear layer or convolution, and add to its bias."""
    size = reader.weight.shape[1]
    positions = _positions(kept, size // units)
    _keep(reader, "weight", positions, axis=1)
    if reader.bias is not None:
        reader.bias.add_(added)
    elif added.any():
        bias = added.to(reader.weight.dtype)
        reader.bias = nn.Parameter(bias, requires_grad=reader.weight.requires_grad)
    name = "in_features" if isinstance(reader, nn.Linear) else "in_channels"
    setattr(reader, name, len(positions))


def _positions(kept: Tensor, each: int) -> Tensor:
    """Return the indices of kept units where each has several positions in turn."""
    return (kept[:, None] * each + torch.arange(each, device=kept.device)).flatten()


def _keep(module: nn.Module, name: str, kept: Tensor, axis: int = 0) -> None:
    old = getattr(module, name)
    if old is None:
        return
    new = old.detach().index_select(axis, kept)
    if isinstance(old, nn.Parameter):
        new = nn.Parameter(new, requires_grad=old.requires_grad)
    setattr(module, name, new)
