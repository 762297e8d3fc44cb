"""Finds the optimizers whose own `step` makes the update, inside wrappers and launchers."""

from __future__ import annotations

from collections.abc import Iterator
from types import MappingProxyType
from typing import Any

from torch.optim import Optimizer

from regularizers.attach.step._refused_optimizers import check_optimizer, check_wrapper
from regularizers.errors import ConfigurationError


def inner_optimizers(given: object) -> list[Optimizer]:
    """Return the optimizers inside `given`, inner ones first, all with working hooks.

    Launchers wrap the optimizer, and two-step optimizers (sharpness-aware minimization, lookahead)
    hold the one that makes the update; only the step of the inner one is sure to run. A wrapping
    optimizer is returned too if it holds weights that the inner ones do not.

    Raises:
        ConfigurationError: `given` is no optimizer and contains none.
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
        check_optimizer(optimizer)
    if not any(optimizer is given for optimizer in found):
        check_wrapper(given)
    for optimizer in found:
        initialise_hooks(optimizer)
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


def initialise_hooks(optimizer: Optimizer) -> None:
    """Initialise the hooks of an optimizer that skips `Optimizer.__init__`; none would run."""
    has_hooks = hasattr(optimizer, "_optimizer_load_state_dict_post_hooks")
    if has_hooks and getattr(type(optimizer).step, "hooked", False):
        return
    if not hasattr(optimizer, "defaults"):
        optimizer.defaults = {}
    # as when an optimizer is unpickled: creates the hook dictionaries and changes no state
    Optimizer.__setstate__(optimizer, {})
    # that also patches the class's step to run hooks, which its other instances do not have
    for name in ("_optimizer_step_pre_hooks", "_optimizer_step_post_hooks"):
        if not hasattr(type(optimizer), name):
            setattr(type(optimizer), name, MappingProxyType({}))
