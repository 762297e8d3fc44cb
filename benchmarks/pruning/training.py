"""One classifier of digits: trained to zeros in groups, its zeros kept, fine-tuned, compacted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count, islice
from typing import Literal

import torch
from benchmarks.speed.timing import quartiles, timed
from torch import Tensor, nn

import regularizers as rz

# the recipe's data and networks, with another optimizer
from regularizers.recipes._batches import Batches
from regularizers.recipes.classifier import Config
from regularizers.recipes.classifier._data import Data
from regularizers.recipes.classifier._networks import conv, mlp
from regularizers.recipes.classifier._parts import Part, parts
from regularizers.recipes.data import load_labelled_digits

STEPS = 600
FINE_TUNING = 600
RATE = 1e-3
BATCH = 64
UNITS = 128
SECONDS = 1.0
"""How long each pair of networks is timed."""

STRENGTHS = {"MLP": (1e-2, 1.5e-2), "CNN": (2e-2, 3e-2)}
HIDDEN = {"MLP": ["0", "2"], "CNN": ["1", "4"]}
"""The layers whose units are groups: all but the last."""

Kind = Literal["MLP", "CNN"]


@dataclass(frozen=True)
class Outcome:
    """What became of one network; accuracies are of validation."""

    units: tuple[int, ...]
    kept: tuple[int, ...]
    parameters: int
    left: int
    difference: float
    """The largest difference of an output before and after `compact`."""
    faster: float
    """The time of a forward before `compact` over that after it; the median over rounds."""
    dense: float
    """The accuracy of the same network trained without a penalty."""
    trained: float
    fine_tuned: float
    compacted: float


def outcome(kind: Kind, strength: float, seed: int) -> Outcome:
    """Train a network with group lasso and return what became of it."""
    torch.set_num_threads(1)
    found = parts(Data(load_labelled_digits()), Config(), seed)
    training, validation = found.training, found.validation
    dense, network = network_of(kind, seed), network_of(kind, seed)
    train(dense, training, STEPS, seed)
    train(network, training, STEPS, seed, rules(kind, strength))
    trained = accuracy(network, validation)
    rz.prune_zeros(network)
    train(network, training, FINE_TUNING, seed + 1)
    small = rz.compact(network)
    with torch.no_grad():
        difference = (network(validation.x) - small(validation.x)).abs().max().item()
        calls = {"before": lambda: dense(validation.x), "after": lambda: small(validation.x)}
        times = timed(calls, seconds=SECONDS)
    ratios = [b / a for b, a in zip(times["before"], times["after"], strict=True)]
    return Outcome(
        units=widths(dense),
        kept=widths(small),
        parameters=parameters(dense),
        left=parameters(small),
        difference=difference,
        faster=quartiles(ratios).median,
        dense=accuracy(dense, validation),
        trained=trained,
        fine_tuned=accuracy(network, validation),
        compacted=accuracy(small, validation),
    )


def network_of(kind: Kind, seed: int) -> nn.Sequential:
    torch.manual_seed(seed)
    return mlp(64, UNITS, 10) if kind == "MLP" else conv((8, 8), 10)


def rules(kind: Kind, strength: float) -> list[rz.Rule]:
    """Return group lasso of the hidden units, each with its bias."""
    groups = rz.GroupLasso(strength, axis="output", with_bias=True)
    return [rz.kernel(groups, where=HIDDEN[kind], proximal=True)]


def train(
    network: nn.Module, training: Part, steps: int, seed: int, rules: list[rz.Rule] | None = None
) -> None:
    """Train a network in place, with a rate that falls to 0 in the last fifth."""
    optimizer = torch.optim.Adam(network.parameters(), RATE)
    falling = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(1.0, 5 * (steps - step) / steps)
    )
    reg = rz.Regularization(network, rules) if rules else None
    if reg is not None:
        reg.attach(optimizer)
    for x, y in islice(_batches(training, seed), steps):
        optimizer.zero_grad()
        nn.functional.cross_entropy(network(x), y).backward()
        optimizer.step()
        falling.step()
    if reg is not None:
        reg.detach()


def accuracy(network: nn.Module, part: Part) -> float:
    with torch.no_grad():
        return (network(part.x).argmax(dim=1) == part.y).double().mean().item()


def parameters(network: nn.Module) -> int:
    return sum([weight.numel() for weight in network.parameters()])


def widths(network: nn.Module) -> tuple[int, ...]:
    """Return the number of units of each hidden layer."""
    layers = [m for m in network.modules() if isinstance(m, (nn.Linear, nn.Conv2d))]
    return tuple([len(layer.weight) for layer in layers[:-1]])


def _batches(part: Part, seed: int) -> Iterator[tuple[Tensor, ...]]:
    for epoch in count():
        yield from Batches(part.x, part.y, batch_size=BATCH, seed=seed, epoch=epoch)
