"""Hooks that belong to one regularization and do nothing in a copy of its model."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn


class Hook:
    """A hook that is left behind, inert, when its module is copied or pickled."""

    def __reduce__(self) -> tuple[type[Inert], tuple[()]]:
        return Inert, ()


class Inert(Hook):
    """What a copied model has in the place of a hook; the next regularization removes it."""

    def __call__(self, *_: Any) -> None:
        """Do nothing."""


def is_recording(module: nn.Module) -> bool:
    """Return whether the penalty of what `module` puts out can reach a gradient."""
    return module.training and torch.is_grad_enabled() and not torch.compiler.is_exporting()


def remove_inert_hooks(model: nn.Module) -> None:
    """Remove what hooks left behind when this model was copied from another."""
    for module in model.modules():
        _remove_inert(
            module._forward_hooks,
            module._forward_hooks_always_called,
            module._forward_hooks_with_kwargs,
        )
        _remove_inert(module._forward_pre_hooks, module._forward_pre_hooks_with_kwargs)


def _remove_inert(hooks: dict[int, Any], *flags: dict[int, bool]) -> None:
    """Remove inert hooks, and what PyTorch keeps of each beside it."""
    for key in [key for key, hook in hooks.items() if isinstance(hook, Inert)]:
        del hooks[key]
        for flag in flags:
            flag.pop(key, None)
