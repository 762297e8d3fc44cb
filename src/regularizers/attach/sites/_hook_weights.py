"""Weights that a forward pre-hook computes, and leaves on the module under the parameter's name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.utils.prune import BasePruningMethod
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm


@dataclass(frozen=True)
class HookWeight:
    """A weight that a known hook computes from other parameters of its module."""

    name: str
    """The attribute by which the forward reads it."""
    sources: tuple[str, ...]
    """The parameters that it is computed from."""
    compute: Callable[[], Tensor]
    """Computes it as it is now, in the graph of its sources; moves no buffer."""
    mask: Callable[[], Tensor] | None = None
    """Of a pruned weight: its mask as it is now."""


def hook_weights(module: nn.Module) -> Iterator[HookWeight]:
    """Yield what pruning and the older `weight_norm` and `spectral_norm` compute in a module."""
    for hook in module._forward_pre_hooks.values():
        if isinstance(hook, BasePruningMethod):
            name = hook._tensor_name
            yield HookWeight(
                name,
                (f"{name}_orig",),
                partial(hook.apply_mask, module),
                partial(module.get_buffer, f"{name}_mask"),
            )
        elif isinstance(hook, WeightNorm):
            parts = f"{hook.name}_g", f"{hook.name}_v"
            yield HookWeight(hook.name, parts, partial(hook.compute_weight, module))
        elif isinstance(hook, SpectralNorm):
            yield HookWeight(
                hook.name,
                (f"{hook.name}_orig",),
                partial(hook.compute_weight, module, do_power_iteration=False),
            )


def hook_weight(module: nn.Module, name: str) -> HookWeight | None:
    """Return how a known hook computes the weight called `name`, if one does."""
    return next((weight for weight in hook_weights(module) if weight.name == name), None)


def left_by_hook(module: nn.Module, name: str) -> Tensor | None:
    """Return the tensor that an unknown hook left under a name, as of the last forward, if any."""
    left = module.__dict__.get(name)
    return left if isinstance(left, Tensor) and name not in module._parameters else None


def is_binary(mask: Tensor) -> bool:
    """Return whether a mask has no values but 0 and 1."""
    return bool(torch.all((mask == 0) | (mask == 1)))
