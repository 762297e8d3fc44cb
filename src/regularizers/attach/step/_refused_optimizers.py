"""Optimizers in whose step a penalty would enter wrongly, each refused by its full name."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch.optim import Optimizer

from regularizers.attach.step._reads_loss import reads_loss
from regularizers.errors import RegimeError

_TRAIN_MODE = "train_mode"
"""What schedule-free optimizers keep, in a group or themselves: whether weights are exchanged."""


def full_name(optimizer: object) -> str:
    """Return where the class of an optimizer is defined: two libraries may call theirs `AdamW`.

    Example:
        >>> full_name(torch.optim.SGD([torch.zeros(1)], lr=0.1))
        'torch.optim.sgd.SGD'
    """
    kind = type(optimizer)
    return f"{kind.__module__}.{kind.__qualname__}"


def check_optimizer(optimizer: Optimizer) -> None:
    """Raise if no step of this optimizer could take in a penalty exactly.

    Raises:
        RegimeError: it is LBFGS, SparseAdam or differentiable.
    """
    if isinstance(optimizer, torch.optim.LBFGS):
        raise RegimeError(
            f"attach: {full_name(optimizer)}: LBFGS searches along the loss, which would miss the "
            f"penalty; use loss + reg.penalty()"
        )
    if isinstance(optimizer, torch.optim.SparseAdam):
        raise RegimeError(
            f"attach: {full_name(optimizer)} takes sparse gradients only, and the gradient of a "
            f"penalty is dense; use Adam for the penalised weights, or narrow the rule"
        )
    if getattr(optimizer, "defaults", {}).get("differentiable"):
        raise RegimeError(
            f"attach: {full_name(optimizer)}: a differentiable optimizer differentiates through "
            f"its step, which would miss the penalty; use loss + reg.penalty()"
        )


def check_wrapper(given: object) -> None:
    """Raise if an optimizer around another would let the penalty of the inner one be inexact.

    Raises:
        RegimeError: it exchanges the weights before the inner step, or reads the loss.
    """
    if _TRAIN_MODE in getattr(given, "__dict__", {}):
        raise RegimeError(
            f"attach: {full_name(given)} exchanges the weights before the step of the optimizer "
            f"inside, where the penalty would be that of other weights than the loss's; use "
            f"loss + reg.penalty(), or an optimizer that is schedule-free itself"
        )
    if reads_loss(given):
        raise RegimeError(_of_the_loss(given))


def check_projectable(optimizers: Iterable[Optimizer]) -> None:
    """Raise if projected weights would not be those that are evaluated.

    Raises:
        RegimeError: an optimizer exchanges the weights between training and evaluation.
    """
    for optimizer in optimizers:
        if any(_TRAIN_MODE in group for group in optimizer.param_groups):
            raise RegimeError(
                f"attach: {full_name(optimizer)} evaluates other weights than it trains, so "
                f"constraints would not hold in evaluation; use an optimizer that is not "
                f"schedule-free, or state the constraint as a parametrization"
            )


def check_closure(optimizer: Optimizer) -> None:
    """Raise if a step with a closure uses more of the loss than its gradient.

    Raises:
        RegimeError: the step reads the value of the loss.
    """
    if reads_loss(optimizer):
        raise RegimeError(_of_the_loss(optimizer))


def check_gradients(optimizer: Optimizer) -> None:
    """Raise if a step may differentiate the gradients again, as Hessian-based ones do.

    Raises:
        RegimeError: the gradients have a graph, and the optimizer is none of PyTorch's.
    """
    if type(optimizer).__module__.startswith("torch.optim."):
        return
    gradients = (p.grad for group in optimizer.param_groups for p in group["params"])
    if any(gradient is not None and gradient.requires_grad for gradient in gradients):
        raise RegimeError(
            f"attach: the gradients were made with create_graph=True, and {full_name(optimizer)} "
            f"may differentiate them, which would miss the penalty's curvature; use "
            f"loss + reg.penalty()"
        )


def _of_the_loss(optimizer: object) -> str:
    return (
        f"attach: {full_name(optimizer)}.step reads the value of the loss that its closure "
        f"returns, which would miss the penalty; use loss + reg.penalty()"
    )
