"""A penalty of 300 weights, in the step of an optimizer and in the loss."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import torch
from benchmarks.speed.cases import Case
from benchmarks.speed.settings import Settings
from benchmarks.speed.timing import Contenders
from torch import Tensor, nn
from torch.optim import SGD

import regularizers as rz

GROUP = "weights"
FOREACH = "_foreach_add_"
STEP = "SGD"
STRENGTH = 1e-4
COUNT = 300

SIDES = {"small": 45, "large": 316}
"""Weights of 45 × 45 have 0.6 million elements in all, those of 316 × 316 30 million."""


def cases(settings: Settings) -> Iterator[Case]:
    """Yield, for small and for large weights, the gradient alone and a whole step of SGD."""
    count, sides = (3, {"tiny": 4}) if settings.quick else (COUNT, SIDES)
    for size, side in sides.items():
        figures = {"tensors": count, "elements": count * side**2}
        of = (count, side, settings.device)
        yield Case(GROUP, f"gradient, {size}", FOREACH, partial(_gradients, *of), figures)
        yield Case(GROUP, f"whole step, {size}", STEP, partial(_steps, *of), figures)


def _model(count: int, side: int, device: str) -> nn.Module:
    layers = [nn.Linear(side, side, bias=False, device=device) for _ in range(count)]
    model = nn.Sequential(*layers)
    for p in model.parameters():
        p.grad = torch.zeros_like(p)
    return model


def _gradients(count: int, side: int, device: str) -> Contenders:
    """Return ways to add the gradient of the penalty to existing gradients."""
    model = _model(count, side, device)
    weights: list[Tensor] = list(model.parameters())
    optimizer = _attached(model)

    def add() -> None:
        # looked up in each step, since zero_grad may replace the gradients
        gradients = [p.grad for p in weights if p.grad is not None]
        with torch.no_grad():
            torch._foreach_add_(gradients, weights, alpha=2 * STRENGTH)

    def ours() -> None:
        # the hooks that `optimizer.step()` calls before and after its update
        for before in optimizer._optimizer_step_pre_hooks.values():
            before(optimizer, (optimizer,), {})
        for after in optimizer._optimizer_step_post_hooks.values():
            after(optimizer, (optimizer,), {})

    def in_the_loss() -> None:
        _sum_of_squares(weights).backward()  # type: ignore[no-untyped-call]

    def norms_in_the_loss() -> None:
        _norms(weights).backward()  # type: ignore[no-untyped-call]

    return {
        FOREACH: add,
        "ours": ours,
        "sum in the loss": in_the_loss,
        "_foreach_norm in the loss": norms_in_the_loss,
    }


def _steps(count: int, side: int, device: str) -> Contenders:
    """Return whole steps of the optimizer; its rate of 0 leaves the weights as they are."""
    model = _model(count, side, device)
    weights: list[Tensor] = list(model.parameters())
    plain = SGD(weights, lr=0.0)

    def in_the_loss() -> None:
        _sum_of_squares(weights).backward()  # type: ignore[no-untyped-call]
        plain.step()

    return {
        STEP: plain.step,
        "weight_decay": SGD(weights, lr=0.0, weight_decay=2 * STRENGTH).step,
        "ours": _attached(model).step,
        "sum in the loss": in_the_loss,
    }


def _attached(model: nn.Module) -> SGD:
    optimizer = SGD(model.parameters(), lr=0.0)
    rz.Regularization(model, [rz.kernel(rz.L2Squared(STRENGTH))]).attach(optimizer)
    return optimizer


def _sum_of_squares(weights: list[Tensor]) -> Tensor:
    total = torch.zeros((), device=weights[0].device)
    return STRENGTH * sum([p.pow(2).sum() for p in weights], total)


def _norms(weights: list[Tensor]) -> Tensor:
    return STRENGTH * torch.stack(torch._foreach_norm(weights)).square().sum()
