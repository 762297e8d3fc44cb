"""Steps of one model with and without hooks that penalise its activities."""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
from benchmarks.speed.timing import Call
from torch import Tensor, nn

import regularizers as rz

STRENGTH = 1e-3

WITHOUT = "without"
EMPTY = "an empty hook"
BY_HAND = "by hand"
OURS = "ours"
ZERO = "ours, strength 0"
EVALUATION = "ours, in evaluation"


def step(kind: str, model: nn.Module, x: Tensor, sites: type[nn.Module], *, backward: bool) -> Call:
    """Return a step of a copy of the model: its forward, or that and its backward.

    What a forward recorded is dropped at its end, by the hand-written hook as by ours.

    Args:
        kind: one of the names above.
        model: copied, so that the hooks of one kind are not those of another.
        x: the input.
        sites: the modules of this type are penalised.
        backward: whether the penalty and the gradients are computed too.
    """
    model = copy.deepcopy(model)
    if kind == EVALUATION:
        model.eval()
    penalty, drop = _hooks(kind, model, x, sites)

    def forward_only() -> None:
        model(x)
        drop()

    def forward_and_backward() -> None:
        y = model(x).sum()
        (y if penalty is None else y + penalty()).backward()

    return forward_and_backward if backward else forward_only


def _hooks(
    kind: str, model: nn.Module, x: Tensor, sites: type[nn.Module]
) -> tuple[Callable[[], Tensor] | None, Call]:
    """Register the hooks; return functions that collect the penalty, if any, and that drop it."""
    if kind in (OURS, ZERO, EVALUATION):
        strength = 0.0 if kind == ZERO else STRENGTH
        reg = rz.Regularization(model, [rz.activity(rz.L1(strength), where=sites)])
        # a forward alone collects nothing, and no public method drops records
        return reg.penalty, lambda: _drop(reg)
    if kind == BY_HAND:
        return _by_hand(model, len(x), sites)
    if kind == EMPTY:
        for module in _of(model, sites):
            module.register_forward_hook(lambda *_: None)
    return None, lambda: None


def _drop(reg: rz.Regularization) -> None:
    reg._delivery._ledger.clear()  # type: ignore[attr-defined]


def _by_hand(
    model: nn.Module, samples: int, sites: type[nn.Module]
) -> tuple[Callable[[], Tensor], Call]:
    recorded: list[Tensor] = []
    for module in _of(model, sites):
        module.register_forward_hook(lambda *args: recorded.append(args[2].abs().sum()))

    def penalty() -> Tensor:
        total = STRENGTH / samples * torch.stack(recorded).sum()
        recorded.clear()
        return total

    return penalty, recorded.clear


def _of(model: nn.Module, sites: type[nn.Module]) -> list[nn.Module]:
    return [module for module in model.modules() if isinstance(module, sites)]


def chain(layers: int, width: int) -> nn.Sequential:
    """Return a chain of linear layers whose signals neither grow nor vanish."""
    model = nn.Sequential(*[nn.Linear(width, width) for _ in range(layers)])
    for layer in model:
        nn.init.orthogonal_(layer.weight)  # type: ignore[arg-type]
    return model
