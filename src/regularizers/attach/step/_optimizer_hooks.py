"""Hooks at two moments of an optimizer's step: gradients are final, and the update is done."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import MethodType
from typing import Any, NamedTuple

import torch
from torch.optim import Optimizer
from torch.utils.hooks import RemovableHandle

from regularizers.attach.sites import Sites
from regularizers.attach.step._refused_optimizers import check_closure, full_name
from regularizers.errors import RegimeError

_STEP_WRAPPER = Optimizer.profile_hook_step(lambda: None).__code__
"""The code of the wrapper that PyTorch puts around every `Optimizer.step`; it runs the hooks."""


class AttachedRegularization(NamedTuple):
    """A regularization attached to an optimizer: its sites, and how to detach it."""

    sites: Sites
    detach: Callable[[], None]


class StepHooks:
    """Calls `before`, if there is one, and `after` once in each step of one optimizer."""

    def __init__(
        self,
        optimizer: Optimizer,
        before: Callable[[Optimizer], None] | None,
        after: Callable[[Optimizer], None],
        regularization: AttachedRegularization,
    ) -> None:
        self.regularization = regularization
        """The regularization that these hooks serve."""
        self._optimizer = optimizer
        self._before = before
        self._after = after

    def attach(self) -> list[RemovableHandle]:
        """Register the hooks."""
        handles = [self._optimizer.register_step_post_hook(self._end)]
        if self._before is not None:
            handles.append(self._optimizer.register_step_pre_hook(self._begin))
        return handles

    @torch._disable_dynamo  # type: ignore[attr-defined]
    def _begin(
        self, optimizer: Optimizer, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
        if optimizer is not self._optimizer or _is_inner(optimizer):
            return None  # a wrapping optimizer may share the hook dictionaries of this one
        if kwargs.get("grad_scaler") is not None:
            raise RegimeError(
                f"attach: {full_name(optimizer)}.step is given a grad_scaler and unscales the "
                f"gradients itself, which would unscale the penalty's gradient too; "
                f"use loss + reg.penalty()"
            )
        closure = kwargs["closure"] if "closure" in kwargs else next(iter(args[1:]), None)
        assert self._before is not None
        if not callable(closure):
            self._before(optimizer)
            return None
        check_closure(optimizer)
        # the closure computes the gradients, so the penalty is added after it
        if "closure" in kwargs:
            return args, kwargs | {"closure": self._wrapped(closure, self._before)}
        return (args[0], self._wrapped(closure, self._before), *args[2:]), kwargs

    def _wrapped(
        self, closure: Callable[[], Any], before: Callable[[Optimizer], None]
    ) -> Callable[[], Any]:
        def closure_then_before() -> Any:
            loss = closure()
            before(self._optimizer)
            return loss

        return closure_then_before

    @torch._disable_dynamo  # type: ignore[attr-defined]
    def _end(self, optimizer: Optimizer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if optimizer is self._optimizer and not _is_inner(optimizer):
            self._after(optimizer)


def attached_to(optimizer: Optimizer) -> list[AttachedRegularization]:
    """Return the regularizations attached to an optimizer."""
    hooks = optimizer._optimizer_step_post_hooks.values()
    bound = [hook.__self__ for hook in hooks if isinstance(hook, MethodType)]
    found = [hooks.regularization for hooks in bound if isinstance(hooks, StepHooks)]
    return list({id(regularization.sites): regularization for regularization in found}.values())


def _is_inner(optimizer: Optimizer) -> bool:
    """Return whether this step runs inside another of the same optimizer: `super().step()`."""
    steps = 0
    frame = sys._getframe(1)
    while frame is not None and steps < 2:
        steps += frame.f_code is _STEP_WRAPPER and frame.f_locals.get("self") is optimizer
        frame = frame.f_back  # type: ignore[assignment]
    return steps > 1
