"""Kernels and biases of a model as its forward uses them, found apart from the library."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

_PLAIN = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)


class Weight(NamedTuple):
    """A weight, and the parameters it is or is computed from."""

    name: str
    tensor: Tensor
    sources: tuple[nn.Parameter, ...]
    mask: Tensor | None = None
    module: nn.Module | None = None

    def by_unit(self, side: str) -> Tensor:
        """Return the tensor with the axis of outputs or of inputs first."""
        w, module = self.tensor, self.module
        if isinstance(module, nn.RNNBase) and side == "output":
            # a unit has a row for each gate
            return w.reshape(-1, module.hidden_size, w.shape[1]).movedim(1, 0)
        if isinstance(module, nn.Conv2d) and module.groups > 1:
            assert w.shape[1] == 1
            return w  # each channel is on its own
        outputs = 1 if isinstance(module, nn.ConvTranspose2d) else 0
        return w.movedim(outputs if side == "output" else 1 - outputs, 0)

    @property
    def is_trainable(self) -> bool:
        return any(source.requires_grad for source in self.sources)


def weights_of(model: nn.Module, kind: str, where: str) -> list[Weight]:
    """Return the trainable kernels or biases below a name, those that are tied once."""
    found: dict[tuple[int, ...], Weight] = {}
    for name, module in model.named_modules():
        for attribute in _names(module, kind):
            full = f"{name}.{attribute}"
            if where and not f"{full}.".startswith(f"{where}."):
                continue
            weight = _weight(module, attribute, full)._replace(module=module)
            if weight.is_trainable:
                found.setdefault(tuple(map(id, weight.sources)), weight)
    return list(found.values())


def _names(module: nn.Module, kind: str) -> Iterator[str]:
    if isinstance(module, _PLAIN):
        yield "weight" if kind == "kernel" else "bias"
    elif isinstance(module, nn.MultiheadAttention):
        yield "in_proj_weight" if kind == "kernel" else "in_proj_bias"
    elif isinstance(module, nn.RNNBase):
        prefix = "weight_" if kind == "kernel" else "bias_"
        yield from [name for name in module._parameters if name.startswith(prefix)]


def _weight(module: nn.Module, name: str, full: str) -> Weight:
    own = module._parameters
    if name in own:
        return Weight(full, own[name], (own[name],))
    if parametrize.is_parametrized(module, name):
        sources = tuple(module.parametrizations[name].parameters())
        return Weight(full, getattr(module, name), sources)
    if f"{name}_orig" in own:
        original, mask = own[f"{name}_orig"], getattr(module, f"{name}_mask")
        return Weight(full, original * mask, (original,), mask)
    v, g = own[f"{name}_v"], own[f"{name}_g"]
    return Weight(full, torch._weight_norm(v, g, 0), (v, g))
