"""The cost of a site on a layer that costs almost nothing."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from benchmarks.speed import hooked
from benchmarks.speed.cases import Case
from benchmarks.speed.settings import Settings
from benchmarks.speed.timing import Contenders
from torch import nn

GROUP = "sites"
FORWARD = "forward"
BOTH = "forward and backward"
CHAIN = 24


def cases(settings: Settings) -> Iterator[Case]:
    """Yield one tiny layer and a chain of 24, with a site on each layer."""
    for layers in (1, 2 if settings.quick else CHAIN):
        for what in (FORWARD, BOTH):
            yield _case(layers, what, settings)


def name_of(layers: int, what: str) -> str:
    return f"{layers} tiny layer{'s' if layers > 1 else ''}, {what}"


def _case(layers: int, what: str, settings: Settings) -> Case:
    kinds = [hooked.WITHOUT, hooked.EMPTY, hooked.BY_HAND, hooked.OURS, hooked.ZERO]
    if what == FORWARD:
        kinds.append(hooked.EVALUATION)  # nothing is collected there

    def contenders() -> Contenders:
        model = hooked.chain(layers, width=16).to(settings.device)
        x = torch.randn(8, 16, device=settings.device)
        backward = what != FORWARD
        return {kind: hooked.step(kind, model, x, nn.Linear, backward=backward) for kind in kinds}

    return Case(GROUP, name_of(layers, what), hooked.WITHOUT, contenders, {"sites": layers})
