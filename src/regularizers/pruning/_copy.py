"""A copy of a model without masks: pruned weights are plain ones of the same values."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils.prune import BasePruningMethod

from regularizers.modules import remove_inert_hooks

Module = TypeVar("Module", bound=nn.Module)


def plain_copy(model: Module) -> Module:
    """Return a copy of `model` that computes the same, without pruning masks.

    Hooks of a Regularization or Monitor are left out, as in any copy of a model.
    """
    # copy.deepcopy refuses tensors with a graph, such as the product with a mask of a forward
    memo = {id(x): x.detach().clone() for x in _computed(model)}
    copied = copy.deepcopy(model, memo)
    remove_inert_hooks(copied)
    for module in copied.modules():
        for key, hook in list(module._forward_pre_hooks.items()):
            if isinstance(hook, BasePruningMethod):
                _make_plain(module, key, hook)
    return copied


def _computed(model: nn.Module) -> Iterator[Tensor]:
    for module in model.modules():
        for value in vars(module).values():
            if isinstance(value, Tensor) and value.grad_fn is not None:
                yield value


def _make_plain(module: nn.Module, key: int, hook: BasePruningMethod) -> None:
    """Replace a pruned weight by its product with the mask; a tied one is untied."""
    name = hook._tensor_name
    original = module.get_parameter(f"{name}_orig")
    with torch.no_grad():
        weight = hook.apply_mask(module)  # type: ignore[no-untyped-call]
    del module._forward_pre_hooks[key]
    del module._parameters[f"{name}_orig"], module._buffers[f"{name}_mask"]
    setattr(module, name, nn.Parameter(weight, requires_grad=original.requires_grad))
