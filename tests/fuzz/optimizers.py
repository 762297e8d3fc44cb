"""One step of each optimizer in float64, independent of the library."""

from __future__ import annotations

import copy
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

RATE = 0.05


def _in_groups(parameters: list[nn.Parameter]) -> list[dict[str, object]]:
    """Return matrices and vectors apart, which learn at rates of their own."""
    vectors = [p for p in parameters if p.ndim < 2]
    others = [p for p in parameters if p.ndim >= 2]
    groups = [{"params": others}, {"params": vectors, "lr": RATE / 2, "weight_decay": 0.1}]
    return [group for group in groups if group["params"]]


_KINDS = {
    "sgd": lambda p: torch.optim.SGD(p, lr=RATE),
    "momentum": lambda p: torch.optim.SGD(p, lr=RATE, momentum=0.5),
    "nesterov": lambda p: torch.optim.SGD(p, lr=RATE, momentum=0.5, nesterov=True),
    "decay": lambda p: torch.optim.SGD(p, lr=RATE, weight_decay=0.1),
    "adam": lambda p: torch.optim.Adam(p, lr=RATE),
    "adamw": lambda p: torch.optim.AdamW(p, lr=RATE, weight_decay=0.1),
    "looped": lambda p: torch.optim.Adam(p, lr=RATE, foreach=False),
    "foreach": lambda p: torch.optim.AdamW(p, lr=RATE, foreach=True),
    "multi": lambda p: torch.optim.SGD(p, lr=RATE, momentum=0.5, foreach=True),
    "groups": lambda p: torch.optim.SGD(_in_groups(list(p)), lr=RATE),
    "fused": lambda p: torch.optim.Adam(p, lr=RATE, fused=True),
}
KINDS = tuple(_KINDS)


def optimizer_of(kind: str, model: nn.Module) -> Optimizer:
    return _KINDS[kind](model.parameters())


def tell_of_changes(optimizer: Optimizer, model: nn.Module) -> None:
    """Let an optimizer hold the parameters that `model` has now."""
    held = {id(p) for p in model.parameters()}
    for group in optimizer.param_groups:
        for gone in [p for p in group["params"] if id(p) not in held]:
            optimizer.state.pop(gone, None)
        group["params"] = [p for p in group["params"] if id(p) in held]
    known = {id(p) for group in optimizer.param_groups for p in group["params"]}
    new = [p for p in model.parameters() if id(p) not in known]
    if new:
        optimizer.add_param_group({"params": new})


class Expected:
    """A copy of an optimizer, made before its step, that takes the step in float64."""

    def __init__(self, optimizer: Optimizer, additions: Mapping[Tensor, Tensor]) -> None:
        self.parameters: dict[Tensor, Tensor] = {}
        groups = []
        for group in optimizer.param_groups:
            copies = [p.detach().double().clone().requires_grad_() for p in group["params"]]
            self.parameters |= dict(zip(group["params"], copies, strict=True))
            groups.append({**group, "params": copies})
        self.optimizer = type(optimizer)(groups)
        self.optimizer.load_state_dict(copy.deepcopy(optimizer.state_dict()))
        for group in self.optimizer.param_groups:
            # a fused step takes a gradient in another order of memory for one in its own
            group |= {"foreach": False, "fused": None}
        idle = all(p.grad is None for p in self.parameters)
        for p, mine in self.parameters.items():
            gradient = None if p.grad is None else p.grad.double().clone()
            if p in additions and not idle:
                gradient = additions[p] + (0 if gradient is None else gradient)
            mine.grad = gradient
        self.optimizer.step()

    def readings(self, names: Mapping[Tensor, str]) -> dict[str, Tensor]:
        return readings(self.optimizer, {self.parameters[p]: n for p, n in names.items()})


def readings(optimizer: Optimizer, names: Mapping[Tensor, str]) -> dict[str, Tensor]:
    """Return the parameters and what an optimizer has averaged of their gradients."""
    found = {f"weight {name}": p.detach().clone() for p, name in names.items()}
    for p, name in names.items():
        for key, value in optimizer.state.get(p, {}).items():
            if isinstance(value, Tensor) and value.shape == p.shape and key != "step":
                found[f"{key} {name}"] = value.clone()
    return found


def step_size(optimizer: Optimizer) -> float:
    """Return how far a lasting gradient of 1 moves a weight in a step of SGD."""
    group = optimizer.param_groups[0]
    return group["lr"] / (1 - group["momentum"])
