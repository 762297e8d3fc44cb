"""Regimes in which saved tensors are packed by hooks."""

import functools

import torch
from torch import Tensor, nn
from torch.autograd.graph import save_on_cpu, saved_tensors_hooks

from matrix.checkpointed import non_reentrant
from matrix.inplace import CHANGES
from matrix.judge import Regime
from matrix.training import in_place_perhaps, training


def copying() -> saved_tensors_hooks:
    """Return a context in which every saved tensor is a copy."""
    return saved_tensors_hooks(torch.clone, lambda packed: packed)


def offloaded(block: nn.Module, x: Tensor) -> Tensor:
    with save_on_cpu():
        return block(x)


def checkpointed(block: nn.Module, x: Tensor) -> Tensor:
    """Offload inside a checkpointed forward."""
    return non_reentrant(functools.partial(offloaded, block), x)


_CONTEXTS = {"save_on_cpu": save_on_cpu, "a copying hook": copying}
REGIMES = [
    *[Regime(f"offloading by {n}", training(around=around)) for n, around in _CONTEXTS.items()],
    *[
        Regime(
            f"offloading by {name}, {change}",
            training(around=around, after=after),
            must=in_place_perhaps,
            copies=True,
        )
        for name, around in _CONTEXTS.items()
        for change, after in CHANGES.items()
    ],
    Regime("checkpoint, offloading around it", training(call=non_reentrant, around=save_on_cpu)),
    Regime(
        "checkpoint, offloading around it, ReLU in place",
        training(call=non_reentrant, around=save_on_cpu, after="relu_"),
        must=in_place_perhaps,
        copies=True,
    ),
    Regime("checkpoint, offloading inside it", training(call=checkpointed)),
    Regime(
        "checkpoint, offloading inside it, ReLU in place",
        training(call=checkpointed, after="relu_"),
        must=in_place_perhaps,
        copies=True,
    ),
]
