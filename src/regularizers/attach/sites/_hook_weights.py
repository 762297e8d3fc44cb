"""Weights that a forward pre-hook computes and sets as attributes of the module."""

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
    """The attribute that the forward reads."""
    sources: tuple[str, ...]
    """The names of the parameters that it is computed from."""
    compute: Callable[[], Tensor]
    """Computes the current weight, differentiable in its sources; changes no buffer."""
    mask: Callable[[], Tensor] | None = None
    """Returns the current mask of a pruned weight; None for others."""


def hook_weights(module: nn.Module) -> Iterator[HookWeight]:
    """Yield the weights that pruning and hook-based `weight_norm` and `spectral_norm` compute."""
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
    """Return the weight `name` if a known hook computes it, else None."""
    return next((weight for weight in hook_weights(module) if weight.name == name), None)


def left_by_hook(module: nn.Module, name: str) -> Tensor | None:
    """Return the tensor that an unknown hook set as attribute `name` in the last forward."""
    left = module.__dict__.get(name)
    return left if isinstance(left, Tensor) and name not in module._parameters else None


def is_binary(mask: Tensor) -> bool:
    """Return whether all values of a mask are 0 or 1."""
    return bool(torch.all((mask == 0) | (mask == 1)))
