"""From what a user calls the optimizer to the optimizers whose own `step` makes the update."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch.optim import Optimizer

from regularizers.errors import ConfigurationError, RegimeError


def innermost(given: object) -> list[Optimizer]:
    """Return the optimizers within `given`, inner ones first, each with hooks that run.

    Launchers hand out a wrapper, and two-step optimizers (sharpness-aware minimization, lookahead)
    hold the one that makes the update, whose step alone is sure to be taken. An optimizer around
    others is kept only for weights that these do not hold.

    Raises:
        ConfigurationError: there is none.
        RegimeError: an optimizer that would get the gradient wrong.
    """
    found: list[Optimizer] = []
    for optimizer in _within(given, set()):
        held = {id(p) for inner in found for p in _parameters(inner)}
        if not found or any(id(p) not in held for p in _parameters(optimizer)):
            found.append(optimizer)
    if not found:
        raise ConfigurationError(
            f"attach: expected a torch.optim.Optimizer, or a wrapper that has one, got "
            f"{type(given).__name__}"
        )
    for optimizer in found:
        _check(optimizer)
        _let_hooks_run(optimizer)
    return found


def _within(given: Any, seen: set[int]) -> Iterator[Optimizer]:
    """Yield the optimizers in the attributes of `given`, inner ones first, and `given` itself."""
    if id(given) in seen:
        return
    seen.add(id(given))
    is_optimizer = issubclass(type(given), Optimizer)
    own = {id(p) for p in _parameters(given)} if is_optimizer else set()
    attributes = [*getattr(given, "__dict__", {}).values(), getattr(given, "optimizer", None)]
    for value in attributes:
        for one in value if isinstance(value, (list, tuple)) else [value]:
            if not (hasattr(one, "param_groups") and hasattr(one, "step")):
                continue
            if not is_optimizer or any(id(p) in own for p in _parameters(one)):
                yield from _within(one, seen)
    if is_optimizer:
        yield given


def _parameters(optimizer: Any) -> Iterator[Any]:
    for group in optimizer.param_groups:
        yield from group["params"]


def _check(optimizer: Optimizer) -> None:
    if isinstance(optimizer, torch.optim.LBFGS):
        raise RegimeError(
            "attach: LBFGS searches along the loss, which would miss the penalty; "
            "use loss + reg.penalty()"
        )
    if getattr(optimizer, "defaults", {}).get("differentiable"):
        raise RegimeError(
            "attach: what a differentiable optimizer's step is given must stay in its graph; "
            "use loss + reg.penalty()"
        )


def _let_hooks_run(optimizer: Optimizer) -> None:
    """Make up for an optimizer that skips `Optimizer.__init__`, of which no hook would run."""
    has_hooks = hasattr(optimizer, "_optimizer_load_state_dict_post_hooks")
    if has_hooks and getattr(type(optimizer).step, "hooked", False):
        return
    if not hasattr(optimizer, "defaults"):
        optimizer.defaults = {}
    # what PyTorch does when an optimizer is unpickled: no state changes
    Optimizer.__setstate__(optimizer, {})
