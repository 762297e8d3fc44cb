"""The code a user would write instead: hooks append numbers, which are added to the loss."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from benchmarks.speed.steps.subjects import Formula, Subject
from torch import Tensor, nn
from torch.optim import Optimizer

Lines = Mapping[Formula, Callable[[Tensor, int], Tensor]]

PLAIN: Lines = {
    "L1": lambda x, batch_axis: x.abs().sum() / x.shape[batch_axis],
    "AR": lambda x, _: x.pow(2).mean(),
    "TAR": lambda x, _: (x[1:] - x[:-1]).pow(2).mean(),
}

NORMS: Lines = {
    "L1": lambda x, batch_axis: torch.linalg.vector_norm(x, 1) / x.shape[batch_axis],
    "AR": lambda x, _: torch.linalg.vector_norm(x).square() / x.numel(),
    "TAR": lambda x, _: (
        torch.linalg.vector_norm(x[1:] - x[:-1]).square() / (x.numel() - x[0].numel())
    ),
}


def hooks(
    model: nn.Module, optimizer: Optimizer, subject: Subject, *, lines: Lines
) -> Callable[[Tensor], Tensor]:
    """Register hooks; return a function from the task's loss to the whole loss."""
    recorded: list[Tensor] = []

    def record(line: Callable[[Tensor, int], Tensor], *of: Any) -> None:
        output = of[-1]
        x = output[0] if isinstance(output, tuple) else output
        recorded.append(line(x, subject.batch_axis))

    for module, formula in subject.penalised(model):
        module.register_forward_hook(partial(record, lines[formula]))
    # a checkpoint runs the hooks again in the backward pass; their records are stale
    optimizer.register_step_post_hook(lambda *_: recorded.clear())

    def whole(loss: Tensor) -> Tensor:
        loss = loss + subject.strength * sum(recorded)
        recorded.clear()
        return loss

    return whole


def squares_in_loss(
    model: nn.Module, optimizer: Optimizer, subject: Subject
) -> Callable[[Tensor], Tensor]:
    """Return a function that adds the squares of all parameters but biases and scales."""

    def whole(loss: Tensor) -> Tensor:
        squares = [p.pow(2).sum() for p in model.parameters() if p.ndim > 1]
        return loss + subject.strength * sum(squares)

    return whole


def weight_decay(
    model: nn.Module, optimizer: Optimizer, subject: Subject
) -> Callable[[Tensor], Tensor]:
    """Let the optimizer decay all parameters; its decay is half the derivative of the square."""
    for group in optimizer.param_groups:
        group["weight_decay"] = 2 * subject.strength
    return lambda loss: loss
