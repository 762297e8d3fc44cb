"""How the cost of a penalty grows with sites, samples and layers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from benchmarks.speed import hooked
from benchmarks.speed.cases import Case
from benchmarks.speed.settings import Settings
from benchmarks.speed.timing import Contenders
from torch import Tensor, nn

GROUP = "growth"
KINDS = (hooked.WITHOUT, hooked.BY_HAND, hooked.OURS)


class Axis(NamedTuple):
    """A number that grows, and the model and the input for each value of it."""

    name: str
    numbers: tuple[int, ...]
    make: Callable[[int], tuple[nn.Module, Tensor]]
    sites: type[nn.Module]


def _sites(n: int) -> tuple[nn.Module, Tensor]:
    return hooked.chain(n, width=16), torch.randn(8, 16)


def _samples(n: int) -> tuple[nn.Module, Tensor]:
    return nn.Sequential(nn.Linear(64, 4096)), torch.randn(n, 64)


def _layers(n: int) -> tuple[nn.Module, Tensor]:
    blocks = [nn.Sequential(layer, nn.ReLU()) for layer in hooked.chain(n, width=128)]
    return nn.Sequential(*blocks), torch.randn(64, 128)


AXES = (
    Axis("sites", (1, 3, 10, 30, 100, 300, 1000), _sites, nn.Linear),
    Axis("samples", (1, 4, 16, 64, 256, 1024, 4096), _samples, nn.Linear),
    Axis("layers", (2, 4, 8, 16, 32, 64, 96), _layers, nn.ReLU),
)
"""A chain of tiny layers with a site each; one site of 4096 units; an MLP 128 wide, 64 samples."""


def cases(settings: Settings) -> Iterator[Case]:
    """Yield a forward with its backward for each number of sites, of samples and of layers."""
    for axis in AXES:
        for n in axis.numbers[:3] if settings.quick else axis.numbers:
            yield _case(axis, n, settings)


def name_of(axis: str, n: int) -> str:
    return f"{axis}, {n}"


def _case(axis: Axis, n: int, settings: Settings) -> Case:
    def contenders() -> Contenders:
        model, x = axis.make(n)
        model, x = model.to(settings.device), x.to(settings.device)
        return {kind: hooked.step(kind, model, x, axis.sites, backward=True) for kind in KINDS}

    return Case(GROUP, name_of(axis.name, n), hooked.WITHOUT, contenders, {"n": n})
