"""Hooks that belong to one regularization and do nothing in a copy of its model."""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from regularizers.errors import RegimeError


class Hook:
    """A hook that is left behind, inert, when its module is copied or pickled."""

    cure = "detach() the Regularization or Monitor first, and make it anew after"

    def __reduce__(self) -> tuple[type[Inert], tuple[()]]:
        return Inert, ()

    @property
    def __name__(self) -> str:
        """No name; `torch.jit.script`, which would compile the hook, is the one that asks.

        Raises:
            RegimeError: it asks.
        """
        if sys._getframe(1).f_globals.get("__name__", "").startswith("torch.jit."):
            site = vars(self).get("_site", "the model")
            raise RegimeError(
                f"{site}: torch.jit.script cannot compile the hooks that read it; {self.cure}"
            )
        raise AttributeError(f"{type(self).__name__!r} object has no attribute '__name__'")


class Inert(Hook):
    """What a copied model has in the place of a hook; the next regularization removes it."""

    cure = "copy the model after detach()"

    def __call__(self, *_: Any) -> None:
        """Do nothing."""


def check_untraced(site: str) -> None:
    """Raise if `torch.jit.trace` is running, which would trace the hooks too."""
    if torch._C._get_tracing_state() is not None:
        raise RegimeError(
            f"{site}: torch.jit.trace in training mode would trace the hooks of a Regularization "
            f"too; call model.eval() or detach() first"
        )


class OnLoad(Hook):
    """Hook of a module: tells that its state was loaded, to an object it does not keep alive."""

    def __init__(self, tell: Callable[[], None]) -> None:
        self._tell = weakref.WeakMethod(tell)

    def __call__(self, module: nn.Module, incompatible: Any) -> None:
        """Tell it."""
        tell = self._tell()
        if tell is not None:
            tell()


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
