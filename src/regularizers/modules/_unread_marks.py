"""Marks that no Regularization has read: one warning, when a backward pass goes through them."""

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
"""Modules whose marks were read, or warned of."""

_warned_in = -1


def know_as_read(module: nn.Module) -> None:
    """Know that a Regularization has read the marks of `module`."""
    _settled.add(module)


def watch(module: nn.Module, output: Any) -> None:
    """See to it that a backward pass through `output` warns if the marks of `module` are unread.

    A model has one warning, from the first of its marked modules that a backward pass reaches. A
    forward in evaluation, without gradients or while compiling asks for none.
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
            handle.remove()  # from a leaf, which outlives the pass
            _warn(marked())

        handle = x.register_hook(reached)  # type: ignore[no-untyped-call]


def _with_gradient(output: Any) -> Tensor | None:
    """Return the first tensor in `output` that a gradient can reach."""
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
        f"{type(module).__name__} is trained with a mark, of regularize() or of "
        f"layers.ActivityPenalty, that no Regularization has read, so nothing is penalised; make "
        f"reg = Regularization(model) and add reg.penalty() to the loss",
        stacklevel=2,
    )


class UnreadMark:
    """The forward hook of a marked module; it has no state, and its copies are as good."""

    def __call__(self, module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        """See to it that training with marks that are unread is warned of."""
        watch(module, output)


class Unmarked:
    """What `torch.jit.script` calls before it looks at a module, whose hooks it would compile."""

    def __init__(self, module: nn.Module) -> None:
        # a reference would let the module live until the garbage collector comes
        self._module = weakref.ref(module)

    def __call__(self) -> nn.Module | None:
        """Return the module without the hook of its mark."""
        module = self._module()
        if module is not None:
            for key in [k for k, h in module._forward_hooks.items() if isinstance(h, UnreadMark)]:
                del module._forward_hooks[key]
        return module

    def __reduce__(self) -> tuple[type[Unmarked], tuple[nn.Module | None]]:
        return Unmarked, (self._module(),)


def watch_mark(module: nn.Module) -> None:
    """Let the forwards of a marked module `watch` it."""
    if not any(isinstance(hook, UnreadMark) for hook in module._forward_hooks.values()):
        module.register_forward_hook(UnreadMark())
        module.__dict__["__prepare_scriptable__"] = Unmarked(module)
