"""One network that learns two tasks in sequence."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from benchmarks.forgetting.tasks import Pair, Samples
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

import regularizers as rz

UNITS, STEPS, BATCH, RATE = 100, 400, 64, 2e-3


class Result(NamedTuple):
    """Accuracies on the tests of both tasks, as shares."""

    before: float
    """On the first task, before the second."""
    first: float
    """On the first task, after the second."""
    second: float


def learned(pair: Pair, seed: int) -> nn.Sequential:
    """Return a network that has learned the first task."""
    torch.manual_seed(seed)
    pixels = pair.first.training.x.shape[1]
    network = nn.Sequential(nn.Linear(pixels, UNITS), nn.ReLU(), nn.Linear(UNITS, pair.classes))
    _train(network, pair.first.training, seed, [])
    return network


def then(network: nn.Sequential, pair: Pair, method: str, strength: float, seed: int) -> Result:
    """Return what a copy of the network knows once it has learned the second task."""
    network = copy.deepcopy(network)
    before = accuracy(network, pair.first.test)
    _train(network, pair.second.training, seed, rules(method, strength, network, pair))
    return Result(before, accuracy(network, pair.first.test), accuracy(network, pair.second.test))


def rules(method: str, strength: float, network: nn.Sequential, pair: Pair) -> list[rz.Rule]:
    """Return the rules for the second task, of every kernel and bias: ½λ‖w‖² and its relatives."""
    penalty = rz.L2Squared(strength / 2)
    options = {}
    if method in ("L2-SP", "EWC"):
        options["towards"] = network.state_dict()
    if method == "EWC":
        batches = [pair.first.training]
        options["importance"] = rz.diagonal_fisher(network, batches, cross_entropy)
    if method == "nothing":
        return []
    return [rz.kernel(penalty, **options), rz.bias(penalty, **options)]


def accuracy(network: nn.Module, samples: Samples) -> float:
    """Return the share of the samples that the network labels rightly."""
    with torch.no_grad():
        return (network(samples.x).argmax(dim=1) == samples.y).float().mean().item()


def _train(network: nn.Module, samples: Samples, seed: int, penalised: Sequence[rz.Rule]) -> None:
    optimizer = torch.optim.Adam(network.parameters(), RATE)
    if penalised:
        rz.Regularization(network, penalised).attach(optimizer)
    for x, y in _batches(samples, seed):
        optimizer.zero_grad()
        cross_entropy(network(x), y).backward()
        optimizer.step()


def _batches(samples: Samples, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
    generator = torch.Generator().manual_seed(seed)
    for _ in range(STEPS):
        some = torch.randint(len(samples.y), (BATCH,), generator=generator)
        yield samples.x[some], samples.y[some]
