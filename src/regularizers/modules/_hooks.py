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
    """A hook that turns into `Inert` when its module is copied or pickled.

    Example:
        >>> import copy, torch
        >>> from regularizers.modules import Hook
        >>> class Print(Hook):
        ...     def __call__(self, module, inputs, output):
        ...         print(output.shape)
        >>> layer = torch.nn.ReLU()
        >>> handle = layer.register_forward_hook(Print())
        >>> _ = layer(torch.ones(2))
        torch.Size([2])
        >>> _ = copy.deepcopy(layer)(torch.ones(2))  # prints nothing
    """

    cure = "detach() the Regularization or Monitor first, and make it anew after"

    def __reduce__(self) -> tuple[type[Inert], tuple[()]]:
        return Inert, ()

    @property
    def __name__(self) -> str:
        """Refuse `torch.jit.script`, which asks hooks for their names and would compile them.

        Raises:
            RegimeError: the caller is `torch.jit`.
        """
        if sys._getframe(1).f_globals.get("__name__", "").startswith("torch.jit."):
            site = vars(self).get("_site", "the model")
            raise RegimeError(
                f"{site}: torch.jit.script cannot compile the hooks that read it; {self.cure}"
            )
        raise AttributeError(f"{type(self).__name__!r} object has no attribute '__name__'")


class Inert(Hook):
    """Replaces a hook in a copied model; the next regularization of the copy removes it."""

    cure = "copy the model after detach()"

    def __call__(self, *_: Any) -> None:
        """Do nothing."""


def is_tracing() -> bool:
    """Return whether `torch.jit.trace` is running, which traces hooks too.

    Example:
        >>> from regularizers.modules import is_tracing
        >>> is_tracing()
        False
    """
    return torch._C._get_tracing_state() is not None


def check_untraced(site: str) -> None:
    """Raise if `torch.jit.trace` is running: it would trace the hooks too.

    Args:
        site: the name of the module, for the message.

    Example:
        >>> from regularizers.modules import check_untraced
        >>> check_untraced("encoder")
    """
    if is_tracing():
        raise RegimeError(
            f"{site}: torch.jit.trace in training mode would trace the hooks of a Regularization "
            f"too; call model.eval() or detach() first"
        )


class OnLoad(Hook):
    """A hook of `load_state_dict`: calls a bound method without keeping its object alive.

    Args:
        callback: a bound method without arguments.

    Example:
        >>> import torch
        >>> from regularizers.modules import OnLoad
        >>> class Reader:
        ...     def loaded(self):
        ...         print("loaded")
        >>> layer, reader = torch.nn.Linear(2, 1), Reader()
        >>> handle = layer.register_load_state_dict_post_hook(OnLoad(reader.loaded))
        >>> layer.load_state_dict(layer.state_dict())
        loaded
        <All keys matched successfully>
    """

    def __init__(self, callback: Callable[[], None]) -> None:
        self._callback = weakref.WeakMethod(callback)

    def __call__(self, module: nn.Module, incompatible: Any) -> None:
        """Call the method, if its object is alive."""
        callback = self._callback()
        if callback is not None:
            callback()


def is_recording(module: nn.Module) -> bool:
    """Return whether a penalty of the output of `module` can contribute to a gradient.

    Args:
        module: the module.

    Example:
        >>> import torch
        >>> from regularizers.modules import is_recording
        >>> layer = torch.nn.ReLU()
        >>> is_recording(layer), is_recording(layer.eval())
        (True, False)
    """
    return module.training and torch.is_grad_enabled() and not torch.compiler.is_exporting()


def remove_inert_hooks(model: nn.Module) -> None:
    """Remove the inert hooks of a model that was copied from another.

    Args:
        model: the model, which may be no copy.

    Example:
        >>> import copy, torch
        >>> from regularizers.modules import Hook, remove_inert_hooks
        >>> layer = torch.nn.ReLU()
        >>> handle = layer.register_forward_hook(Hook())
        >>> copied = copy.deepcopy(layer)
        >>> remove_inert_hooks(copied)
        >>> len(layer._forward_hooks), len(copied._forward_hooks)
        (1, 0)
    """
    for module in model.modules():
        _remove_inert(
            module._forward_hooks,
            module._forward_hooks_always_called,
            module._forward_hooks_with_kwargs,
        )
        _remove_inert(module._forward_pre_hooks, module._forward_pre_hooks_with_kwargs)


def _remove_inert(hooks: dict[int, Any], *flags: dict[int, bool]) -> None:
    """Remove inert hooks, and the flags that PyTorch keeps for each."""
    for key in [key for key, hook in hooks.items() if isinstance(hook, Inert)]:
        del hooks[key]
        for flag in flags:
            flag.pop(key, None)
