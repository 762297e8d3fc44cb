"""What a unit without a kernel says, and what becomes of it on the way to the next layer."""

from __future__ import annotations

from typing import Any, Self

import torch
from torch import Tensor, nn

from regularizers.layers import ActivityPenalty

ELEMENTWISE = {
    *(nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.CELU, nn.SELU, nn.GELU, nn.SiLU, nn.Mish),
    *(nn.Softplus, nn.Sigmoid, nn.LogSigmoid, nn.Tanh, nn.Softsign, nn.Threshold),
    *(nn.Hardtanh, nn.Hardswish, nn.Hardsigmoid, nn.Tanhshrink, nn.Softshrink, nn.Hardshrink),
    *(nn.Identity, ActivityPenalty),
}
"""Functions of each element by itself, alike in training and evaluation."""

DROPOUTS = {nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d}
NORMS = {nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm}
AVERAGES = {nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d}
POOLS = {
    *AVERAGES,
    *(nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d),
    *(nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d, nn.AdaptiveMaxPool3d),
    *(nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d),
}
"""All but averages make that constant of a constant, padding or not."""


class Constants:
    """What the units of a layer whose kernel is 0 say, followed to the layer that reads them.

    Args:
        which: which units of the layer these are; (units,), boolean.
        values: what each of them says; (these units, 1).
    """

    def __init__(self, which: Tensor, values: Tensor) -> None:
        self._which = which
        self._values = values
        """Of shape (these units, 1), or (these units, positions) once positions differ."""
        self._even = torch.ones_like(values[:, 0], dtype=torch.bool)
        """Whether a unit says the same at every position, at borders too."""

    @classmethod
    def of(cls, layer: Any, which: Tensor) -> Self:
        """Return what some units of a layer say: their biases."""
        bias: Tensor | None = layer.bias
        values = layer.weight.new_zeros(len(which)) if bias is None else bias.detach()
        return cls(which, values[which].unsqueeze(1))

    def pass_through(self, module: nn.Module) -> None:
        """Follow them through a module between the layers, as in evaluation."""
        if type(module) in ELEMENTWISE:
            self._values = module(self._values.clone())
        elif isinstance(module, nn.modules.batchnorm._BatchNorm):
            self._values = self._normalised(module)
        elif type(module) in AVERAGES and not _keeps_constants(module):
            self._even &= (self._values == 0).all(dim=1)

    def added_by(self, reader: Any) -> Tensor:
        """Return what the reader adds to each output for each unit; (outputs, these units)."""
        weight: Tensor = reader.weight.detach()
        weight = weight.to(torch.promote_types(weight.dtype, torch.float32))
        columns = weight.reshape(len(weight), len(self._which), -1)[:, self._which]
        return (columns * self._values.to(weight.dtype)).sum(dim=2)

    def are_exact_in(self, reader: Any) -> Tensor:
        """Return which units add the same at every position of the reader's output."""
        if not _pads_with_zeros(reader):
            return self._even.clone()
        return self._even & (self._values == 0).all(dim=1)

    def _normalised(self, norm: nn.modules.batchnorm._BatchNorm) -> Tensor:
        values = torch.zeros_like(self._values)  # a constant less the mean of its own batch
        if norm.running_mean is not None and norm.running_var is not None:
            mean, variance = self._rows(norm.running_mean), self._rows(norm.running_var)
            values = (self._values - mean) / (variance + norm.eps).sqrt()
        if norm.affine:
            values = values * self._rows(norm.weight) + self._rows(norm.bias)
        return values

    def _rows(self, per_feature: Tensor) -> Tensor:
        """Return (these units, positions) of a tensor of (units · positions,)."""
        return per_feature.detach().reshape(len(self._which), -1)[self._which]


def _keeps_constants(pool: Any) -> bool:
    """Return whether the average of a constant is that constant, in every window."""
    padding = pool.padding if isinstance(pool.padding, tuple) else (pool.padding,)
    unpadded = not any(padding) or not pool.count_include_pad
    return unpadded and getattr(pool, "divisor_override", None) is None


def _pads_with_zeros(reader: Any) -> bool:
    if isinstance(reader, nn.Linear) or reader.padding_mode != "zeros":
        return False
    return reader.padding == "same" or (reader.padding != "valid" and any(reader.padding))
