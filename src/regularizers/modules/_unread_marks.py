"""Warns once when a backward pass reaches a marked module that no Regularization has read."""

from __future__ import annotations

import dataclasses
import warnings
import weakref
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import unserializable_hook

_settled: weakref.WeakSet[nn.Module] = weakref.WeakSet()
"""Modules whose marks were read, or that were warned about."""

_warned_in = -1


def mark_as_read(module: nn.Module) -> None:
    """Record that a Regularization has read the marks of `module`.

    Args:
        module: a marked module.

    Example:
        >>> import torch
        >>> from regularizers.modules import add_unread_warning, mark_as_read
        >>> layer = torch.nn.Linear(2, 1)
        >>> add_unread_warning(layer)
        >>> mark_as_read(layer)
        >>> layer(torch.ones(1, 2)).sum().backward()  # and no warning
    """
    _settled.add(module)


def warn_if_unread(module: nn.Module, output: Any) -> None:
    """Let a backward pass through `output` warn if the marks of `module` are unread.

    Each backward pass warns once, at the first marked module that it reaches. A forward in
    evaluation, without gradients or under compilation never warns.

    Args:
        module: a marked module.
        output: what it returned.

    Example:
        >>> import torch, warnings
        >>> from regularizers.modules import warn_if_unread
        >>> layer = torch.nn.Linear(2, 1)
        >>> y = layer(torch.ones(1, 2))
        >>> warn_if_unread(layer, y)
        >>> with warnings.catch_warnings(record=True, action="always") as caught:
        ...     y.sum().backward()
        >>> len(caught)
        1
    """
    if (
        torch.compiler.is_compiling()
        or module in _settled
        or not (module.training and torch.is_grad_enabled())
        or torch._C._get_tracing_state() is not None
        or torch._C._functorch.peek_interpreter_stack() is not None
    ):
        return
    x = _with_gradient(output)
    if x is not None:
        marked = weakref.ref(module)

        @unserializable_hook  # type: ignore[untyped-decorator]
        def reached(gradient: Tensor) -> None:
            handle.remove()  # a leaf outlives the pass, and would keep the hook
            _warn(marked())

        handle = x.register_hook(reached)  # type: ignore[no-untyped-call]


def _with_gradient(output: Any) -> Tensor | None:
    """Return the first tensor in `output` that requires a gradient."""
    if isinstance(output, Tensor):
        return output if output.requires_grad else None
    parts: Iterable[Any] = ()
    if isinstance(output, Mapping):
        parts = output.values()
    elif isinstance(output, (tuple, list)):
        parts = output
    elif dataclasses.is_dataclass(output):
        parts = vars(output).values()
    return next((x for x in map(_with_gradient, parts) if x is not None), None)


def _warn(module: nn.Module | None) -> None:
    global _warned_in
    if module is None or module in _settled:
        return
    _settled.add(module)
    backward = torch._C._current_graph_task_id()
    if backward == _warned_in:
        return
    _warned_in = backward
    warnings.warn(
        f"{type(module).__name__} is marked by regularize() or layers.ActivityPenalty and trained, "
        f"but no Regularization has read the mark, so nothing is penalised; make "
        f"reg = Regularization(model) and add reg.penalty() to the loss",
        stacklevel=2,
    )


class UnreadMark:
    """The forward hook of a marked module; it is stateless, so it may be copied.

    Example:
        >>> import torch
        >>> from regularizers.modules import UnreadMark, mark_as_read
        >>> layer = torch.nn.Linear(2, 1)
        >>> handle = layer.register_forward_hook(UnreadMark())
        >>> mark_as_read(layer)
        >>> layer(torch.ones(1, 2)).sum().backward()  # and no warning
    """

    def __call__(self, module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        """Warn at the backward pass if the mark is still unread."""
        warn_if_unread(module, output)


class Unmarked:
    """Removes the mark's hook for `torch.jit.script`, which would try to compile it."""

    def __init__(self, module: nn.Module) -> None:
        # a strong reference would be a cycle: module, its __dict__, this object
        self._module = weakref.ref(module)

    def __call__(self) -> nn.Module | None:
        """Return the module without the mark's hook."""
        module = self._module()
        if module is not None:
            for key in [k for k, h in module._forward_hooks.items() if isinstance(h, UnreadMark)]:
                del module._forward_hooks[key]
        return module

    def __reduce__(self) -> tuple[type[Unmarked], tuple[nn.Module | None]]:
        return Unmarked, (self._module(),)


def add_unread_warning(module: nn.Module) -> None:
    """Register the hook that calls `warn_if_unread` after each forward of a marked module.

    Args:
        module: a marked module.

    Example:
        >>> import torch, warnings
        >>> from regularizers.modules import add_unread_warning
        >>> layer = torch.nn.Linear(2, 1)
        >>> add_unread_warning(layer)
        >>> with warnings.catch_warnings(record=True, action="always") as caught:
        ...     layer(torch.ones(1, 2)).sum().backward()
        >>> str(caught[0].message)
        'Linear is marked by regularize() ... but no Regularization has read the mark...'
    """
    if not any(isinstance(hook, UnreadMark) for hook in module._forward_hooks.values()):
        module.register_forward_hook(UnreadMark())
        module.__dict__["__prepare_scriptable__"] = Unmarked(module)
