"""The ways to train: with nothing at the sites, with a penalty, and with metrics."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import torch
from benchmarks.speed.control import by_hand
from benchmarks.speed.control.networks import Network
from torch import Tensor, nn
from torch.optim import Optimizer

import regularizers as rz

NO_PENALTY = "no penalty"
BY_HAND, NUMBER, TARGET = "by hand", "a number", "a target"
METRICS, MONITOR = "four metrics by hand", "Monitor"

STRENGTHS: Mapping[str, float] = {"L1": 1e-6, "L2Norm": 1e-4, "TAR": 1e-3, "AR": 1e-3}
ACTIVE = 0.05
"""The target of L1: the share of the units that are active for a sample."""

LESS = 0.5
"""The target of the others: this share of the norm that is measured before training."""


class Made(NamedTuple):
    """What a way has made: its loss from that of the task, and what it can be read by."""

    whole: Callable[[Tensor], Tensor]
    read: Any = None


Way = Callable[[nn.Module, Optimizer, Network], Made]


def name_of(formula: str, way: str) -> str:
    return f"{formula}, {way}"


def ways_of(network: Network) -> dict[str, Way]:
    """Return the ways to train a network, by name."""
    ways: dict[str, Way] = {NO_PENALTY: nothing}
    for formula in network.formulas:
        ways[name_of(formula, BY_HAND)] = partial(penalised_by_hand, formula=formula)
        ways[name_of(formula, NUMBER)] = partial(number, formula=formula)
        ways[name_of(formula, TARGET)] = partial(target, formula=formula)
    return {**ways, METRICS: measured_by_hand, MONITOR: monitored}


def nothing(model: nn.Module, optimizer: Optimizer, network: Network) -> Made:
    """Leave the loss as it is."""
    return Made(_unchanged)


def penalised_by_hand(
    model: nn.Module, optimizer: Optimizer, network: Network, *, formula: str
) -> Made:
    """Add what hooks have recorded to the loss."""
    penalty, strength = by_hand.penalty(model, network, formula), STRENGTHS[formula]
    return Made(lambda loss: loss + strength * penalty())


def number(model: nn.Module, optimizer: Optimizer, network: Network, *, formula: str) -> Made:
    """Add the penalty of a strength that is the same in all steps."""
    sites = network.sites_of(model)
    return _penalised(model, network, formula, dict.fromkeys(sites, STRENGTHS[formula]))


def target(model: nn.Module, optimizer: Optimizer, network: Network, *, formula: str) -> Made:
    """Add the penalty of a strength that each step of the optimizer brings nearer to a target."""
    axes, first = network.sample_axes, network.first_outputs()
    wanted = {name: _target(formula, axes, x) for name, x in first.items()}
    made = _penalised(model, network, formula, wanted)
    made.read.attach(optimizer)
    return made


def measured_by_hand(model: nn.Module, optimizer: Optimizer, network: Network) -> Made:
    """Measure by hooks, and leave the loss as it is."""
    return Made(_unchanged, by_hand.metrics(model, network))


def monitored(model: nn.Module, optimizer: Optimizer, network: Network) -> Made:
    """Measure by a monitor, and leave the loss as it is."""
    return Made(_unchanged, rz.Monitor(model, network.sites))


def _unchanged(loss: Tensor) -> Tensor:
    return loss


def _penalised(
    model: nn.Module, network: Network, formula: str, strengths: Mapping[str, Any]
) -> Made:
    rules = [RULES[formula](strength, where) for where, strength in strengths.items()]
    reg = rz.Regularization(model, rules)
    return Made(lambda loss: loss + reg.penalty(), reg)


RULES: Mapping[str, Callable[[Any, str], rz.Rule]] = {
    "L1": lambda strength, where: rz.activity(rz.L1(strength), where),
    "L2Norm": lambda strength, where: rz.activity(rz.L2Norm(strength), where),
    "AR": rz.ar,
    "TAR": rz.tar,
}


def _target(formula: str, sample_axes: int, first: Tensor) -> rz.Target:
    if formula == "L1":
        return rz.TargetActive(fraction=ACTIVE)
    if formula == "TAR":
        first = first[1:] - first[:-1]
    norms = torch.linalg.vector_norm(first.flatten(0, sample_axes - 1), dim=1)
    return rz.TargetNorm(LESS * norms.mean().item())
