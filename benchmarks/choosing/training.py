"""One network: built, trained at a strength, and measured."""

from __future__ import annotations

import copy
import math
from collections import OrderedDict
from collections.abc import Iterator, Sequence

import torch
from benchmarks.choosing.data import Data, Part
from benchmarks.choosing.sweeps import DEEP, LARGE, LARGER, SWEEPS, TWO_TASKS
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

import regularizers as rz

STEPS, BATCH, RATE = 400, 32, 0.05
UNITS, LAYERS = 128, 2
DEEP_UNITS, DEEP_LAYERS = 64, 8

Figures = dict[str, float]


def trained(data: Data, name: str, strength: float, seed: int) -> Figures:
    """Return the figures of a network trained at a strength of a sweep; 0 is no penalty."""
    sweep = SWEEPS[name]
    if sweep.network == LARGE:
        data = data.times(LARGER)
    torch.manual_seed(seed)
    network = build(data, sweep.network, dropout=strength if name == "dropout" else 0.0)
    if sweep.network == TWO_TASKS:
        learn(network, data.training, seed)
        first, data = data, data.permuted(seed)
    # at a strength of 0 there is nothing, and no target either
    learn(network, data.training, seed, sweep.rules(strength) if strength else [])
    figures = measured(network, data)
    if sweep.network == TWO_TASKS:
        figures["first task"] = measured(network, first)["accuracy"]
    return figures


def build(data: Data, kind: str, *, dropout: float = 0.0) -> nn.Sequential:
    """Return hidden layers and a linear one; tanh stands where large inputs are to saturate it."""
    units, count = (DEEP_UNITS, DEEP_LAYERS) if kind == DEEP else (UNITS, LAYERS)
    layers: list[nn.Module] = []
    for width in (data.training.x.shape[1], *[units] * (count - 1)):
        layers += [nn.Linear(width, units), nn.Tanh() if kind == LARGE else nn.ReLU()]
        if dropout:
            layers.append(nn.Dropout(dropout))
    named = {str(i): layer for i, layer in enumerate(layers)}
    return nn.Sequential(OrderedDict(**named, logits=nn.Linear(units, data.classes)))


def learn(
    network: nn.Module, part: Part, seed: int, rules: Sequence[rz.Rule] = (), steps: int = STEPS
) -> None:
    """Train by SGD with momentum; the rate rises over a tenth, then falls along a cosine."""
    optimizer = torch.optim.SGD(network.parameters(), RATE, momentum=0.9)
    reg = rz.Regularization(network, rules) if rules else None
    # a penalty of outputs whose strength is a number has nothing to do in a step
    if reg is not None and not all(r.kind == "activity" and _is_constant(r) for r in rules):
        reg.attach(optimizer)
    network.train()
    for step, (x, y) in enumerate(_batches(part, seed, steps)):
        for group in optimizer.param_groups:
            group["lr"] = RATE * _rate_at(step, steps)
        optimizer.zero_grad()
        loss = cross_entropy(network(x), y)
        (loss if reg is None else loss + reg.penalty()).backward()
        nn.utils.clip_grad_norm_(network.parameters(), 10.0)
        optimizer.step()
    if reg is not None:
        reg.detach()


def _is_constant(rule: rz.Rule) -> bool:
    return isinstance(rule.penalty, rz.Penalty) and isinstance(
        getattr(rule.penalty, "strength", None), int | float
    )


def _batches(part: Part, seed: int, steps: int) -> Iterator[tuple[Tensor, Tensor]]:
    generator = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        some = torch.randint(len(part.y), (BATCH,), generator=generator)
        yield part.x[some], part.y[some]


def _rate_at(step: int, steps: int) -> float:
    rise = max(steps // 10, 1)
    if step < rise:
        return (step + 1) / rise
    return (1 + math.cos(math.pi * (step - rise) / (steps - rise))) / 2


@torch.no_grad()
def measured(network: nn.Sequential, data: Data) -> Figures:
    """Return all figures of a network on the validation samples."""
    network = copy.deepcopy(network).eval()
    entering: list[Tensor] = []
    leaving: list[Tensor] = []

    def keep(_module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        entering.append(inputs[0])
        leaving.append(output)

    for module in network:
        if isinstance(module, nn.ReLU | nn.Tanh):
            module.register_forward_hook(keep)
    logits = network(data.validation.x)
    hidden, before = torch.cat(leaving, dim=1), torch.cat(entering, dim=1)
    right = (logits.argmax(dim=1) == data.validation.y).float()
    accuracy = right.mean().item()
    training = (network(data.training.x).argmax(dim=1) == data.training.y).float().mean().item()
    kernels = [m.weight for m in network if isinstance(m, nn.Linear)]
    square = [w for w in kernels if w.shape[0] == w.shape[1]]
    values = [torch.linalg.svdvals(w) for w in square]
    return {
        "accuracy": accuracy,
        "gap": training - accuracy,
        "loss": cross_entropy(logits, data.validation.y).item(),
        "calibration": calibration_error(logits, right),
        "outputs": before.abs().mean().item(),
        "saturated": (hidden.abs() > 0.99).float().mean().item(),
        "active": (hidden > 0).float().mean().item(),
        "zeros": sum(int((w == 0).sum()) for w in kernels) / sum(w.numel() for w in kernels),
        "units left": torch.cat([w.any(dim=1) for w in kernels[:-1]]).float().mean().item(),
        "condition": torch.stack([s[0] / s[-1].clamp_min(1e-12) for s in values]).median().item(),
    }


def calibration_error(logits: Tensor, right: Tensor, bins: int = 15) -> float:
    """Return how far confidence is from accuracy, in bins of confidence (Guo et al. 2017)."""
    confidence = logits.softmax(dim=1).amax(dim=1)
    bin_of = (confidence * bins).long().clamp_max(bins - 1)
    off = [
        (confidence[bin_of == i].sum() - right[bin_of == i].sum()).abs().item() for i in range(bins)
    ]
    return sum(off) / len(right)
