"""The two moments of an optimizer's step: when the gradients are final, and when it is done."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import MethodType
from typing import Any, NamedTuple

import torch
from torch.optim import Optimizer
from torch.utils.hooks import RemovableHandle

from regularizers.attach.sites import Sites
from regularizers.errors import RegimeError

_STEP = Optimizer.profile_hook_step(lambda: None).__code__
"""What PyTorch wraps around the `step` of every class of optimizers, and calls the hooks from."""


class Owner(NamedTuple):
    """The regularization that is attached to an optimizer, as far as others need to know it."""

    sites: Sites
    detach: Callable[[], None]


class Steps:
    """Hooks of one optimizer that call `before` and `after` once in each of its steps."""

    def __init__(
        self,
        optimizer: Optimizer,
        before: Callable[[Optimizer], None],
        after: Callable[[Optimizer], None],
        owner: Owner,
    ) -> None:
        self.owner = owner
        """The regularization whose steps these are."""
        self._optimizer = optimizer
        self._before = before
        self._after = after

    def attach(self) -> list[RemovableHandle]:
        """Put the hooks in."""
        return [
            self._optimizer.register_step_pre_hook(self._begin),
            self._optimizer.register_step_post_hook(self._end),
        ]

    @torch._disable_dynamo  # type: ignore[attr-defined]
    def _begin(
        self, optimizer: Optimizer, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
        if optimizer is not self._optimizer or _is_inner(optimizer):
            return None  # an optimizer around this one may share its hooks
        if kwargs.get("grad_scaler") is not None:
            raise RegimeError(
                f"attach: {type(optimizer).__name__}.step is given a grad_scaler and unscales the "
                f"gradients itself, so that what is added to them would be unscaled too"
            )
        closure = kwargs["closure"] if "closure" in kwargs else next(iter(args[1:]), None)
        if not callable(closure):
            self._before(optimizer)
            return None
        # a closure computes the gradients, so what is added to them comes after it
        final = self._followed(closure)
        if "closure" in kwargs:
            return args, kwargs | {"closure": final}
        return (args[0], final, *args[2:]), kwargs

    def _followed(self, closure: Callable[[], Any]) -> Callable[[], Any]:
        def followed() -> Any:
            loss = closure()
            self._before(self._optimizer)
            return loss

        return followed

    @torch._disable_dynamo  # type: ignore[attr-defined]
    def _end(self, optimizer: Optimizer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if optimizer is self._optimizer and not _is_inner(optimizer):
            self._after(optimizer)


def owners(optimizer: Optimizer) -> list[Owner]:
    """Return the regularizations that are attached to an optimizer."""
    hooks = optimizer._optimizer_step_pre_hooks.values()
    found = [hook.__self__ for hook in hooks if isinstance(hook, MethodType)]
    owners = [steps.owner for steps in found if isinstance(steps, Steps)]
    return list({id(owner.sites): owner for owner in owners}.values())


def _is_inner(optimizer: Optimizer) -> bool:
    """Return whether this step is a part of another of the same optimizer: `super().step()`."""
    steps = 0
    frame = sys._getframe(1)
    while frame is not None and steps < 2:
        steps += frame.f_code is _STEP and frame.f_locals.get("self") is optimizer
        frame = frame.f_back  # type: ignore[assignment]
    return steps > 1
