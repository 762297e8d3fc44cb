"""The ways to penalise a loss: by this library, by hand, or not at all."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from benchmarks.speed.steps import by_hand
from benchmarks.speed.steps.subjects import Subject
from torch import Tensor, nn
from torch.optim import Optimizer

import regularizers as rz

Way = Callable[[nn.Module, Optimizer, Subject], Callable[[Tensor], Tensor]]
"""Attaches itself; returns a function from the task's loss to the whole loss."""


def without(model: nn.Module, optimizer: Optimizer, subject: Subject) -> Callable[[Tensor], Tensor]:
    """Leave the loss as it is."""
    return lambda loss: loss


def collected(
    model: nn.Module, optimizer: Optimizer, subject: Subject
) -> Callable[[Tensor], Tensor]:
    """Add the penalty of the outputs to the loss."""
    reg = rz.Regularization(model, _rules(subject))
    return lambda loss: loss + reg.penalty()


def injected(
    model: nn.Module, optimizer: Optimizer, subject: Subject
) -> Callable[[Tensor], Tensor]:
    """Let the gradient enter at the outputs."""
    return rz.Regularization(model, _rules(subject), delivery="inject").scale_from


def kernels_in_loss(
    model: nn.Module, optimizer: Optimizer, subject: Subject
) -> Callable[[Tensor], Tensor]:
    """Add the squares of the kernels to the loss."""
    reg = _kernels(model, subject)
    return lambda loss: loss + reg.penalty()


def kernels_attached(
    model: nn.Module, optimizer: Optimizer, subject: Subject
) -> Callable[[Tensor], Tensor]:
    """Add the gradient of the squares of the kernels within the optimizer's step."""
    _kernels(model, subject).attach(optimizer)
    return lambda loss: loss


def _kernels(model: nn.Module, subject: Subject) -> rz.Regularization:
    """Penalise kernels, and embeddings too, as the sum over parameters does."""
    rule = rz.kernel(rz.L2Squared(subject.strength))
    embeds = any(isinstance(module, nn.Embedding) for module in model.modules())
    roles: dict[Any, Any] | None = {nn.Embedding: {"weight": "kernel"}} if embeds else None
    return rz.Regularization(model, [rule], roles=roles)


def _rules(subject: Subject) -> list[rz.Rule]:
    rules = []
    for leaf, formula in subject.sites.items():
        where, strength = f"**.{leaf}", subject.strength
        match formula:
            case "L1":
                rules.append(
                    rz.activity(rz.L1(strength), where=where, batch_axis=subject.batch_axis)
                )
            case "AR":
                rules.append(rz.ar(strength, where=where))
            case "TAR":
                rules.append(rz.tar(strength, where=where))
    return rules


ACTIVITY: dict[str, Way] = {
    "without": without,
    "ours": collected,
    "ours, inject": injected,
    "by hand": partial(by_hand.hooks, lines=by_hand.PLAIN),
    "by hand, vector_norm": partial(by_hand.hooks, lines=by_hand.NORMS),
}

WEIGHTS: dict[str, Way] = {
    "without": without,
    "ours, attached": kernels_attached,
    "ours, in the loss": kernels_in_loss,
    "by hand, sum over parameters()": by_hand.squares_in_loss,
    "the optimizer's weight_decay": by_hand.weight_decay,
}
