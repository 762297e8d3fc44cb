"""One sparse autoencoder, trained with a constant strength or with a target."""

from __future__ import annotations

import statistics
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from benchmarks.controllers.network import Autoencoder
from benchmarks.controllers.revival import is_due, resample
from benchmarks.controllers.silence import Silence
from torch import Tensor, nn

import regularizers as rz
from regularizers.recipes.sparse_autoencoder import Config

# the recipe's samples, split as it splits them
from regularizers.recipes.sparse_autoencoder._data import load

UNITS = 100
STEPS = 2000
RATE = 2e-3
BLOCK = 50
"""The steps over which counts and losses are averaged."""
ANNEALED = STEPS // 2
"""The steps over which a target falls from where it starts."""


@dataclass(frozen=True)
class Run:
    """One training."""

    data: str
    target: int | None = None
    start: int | None = None
    """The target before the first step, from which it falls along a cosine."""
    at_most: bool = False
    threshold: float = 0.0
    loss: float | None = None
    """The target of the loss."""
    constant: float | None = None
    initial: float = 1e-3
    seed: int = 0
    batch: int = 128
    times: float = 1.0
    """The factor of the loss."""
    revive: bool = True
    anneal: bool = True

    @property
    def strength(self) -> Any:
        if self.loss is not None:
            return rz.TargetLoss(self.loss, initial=self.initial)
        if self.target is None:
            return self.constant
        wanted = self.target if self.start is None else self.schedule
        return rz.TargetActive(
            wanted, threshold=self.threshold, initial=self.initial, at_most=self.at_most
        )

    @property
    def schedule(self) -> rz.Schedule:
        """The target at each step."""
        assert self.target is not None
        start = self.target if self.start is None else self.start
        return rz.Cosine(start, self.target, steps=ANNEALED)


@cache
def samples(data: str, seed: int) -> tuple[Tensor, Tensor]:
    """Return training and validation samples."""
    found = load(Config(data=None if data == "digits" else Path(data), seed=seed))
    return found.training, found.validation


def train(run: Run) -> dict[str, Any]:
    """Train one network and return its results."""
    torch.set_num_threads(1)
    x, validation = samples(run.data, run.seed)
    torch.manual_seed(run.seed)
    network = Autoencoder(x.mean(dim=0), UNITS, nn.ReLU())
    optimizer = torch.optim.NAdam(network.parameters(), RATE)
    last = STEPS / 5
    rate = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(1.0, (STEPS - step) / last) if run.anneal else 1.0
    )
    reg = rz.Regularization(network, [rz.activity(rz.L1(run.strength), where="coding")])
    codings: list[Tensor] = []
    reading = network.coding.register_forward_hook(lambda *args: codings.append(args[2].detach()))
    silence, generator = Silence(UNITS), torch.Generator().manual_seed(run.seed)
    batches = _batches(x, run)
    said: list[str] = []
    counts: list[float] = []
    losses: list[float] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for step in range(1, STEPS + 1):
            batch = next(batches)
            loss = run.times * nn.functional.mse_loss(network(batch), batch)
            optimizer.zero_grad()
            (loss + reg.penalty()).backward()
            optimizer.step()
            if run.loss is not None:
                reg.step(loss=loss)
            elif run.target is not None:
                reg.step()
            rate.step()
            coding = codings.pop()
            silence.update(coding)
            counts.append(_active(coding, run.threshold))
            losses.append(loss.item())
            if run.revive and is_due(step, STEPS):
                silence.reset(resample(network, silence.dead, x, optimizer, generator))
        said = [str(w.message) for w in caught]
    strength = reg.strengths["coding/activity/L1"]
    reading.remove()
    reg.detach()
    return {
        "blocks": [statistics.fmean(counts[n : n + BLOCK]) for n in range(0, STEPS, BLOCK)],
        "loss": statistics.fmean(losses[-BLOCK:]),
        "last_steps": statistics.fmean(counts[-BLOCK:]),
        "last_swing": statistics.pstdev(counts[-BLOCK:]),
        "training": _active(network.encode(x), run.threshold),
        "validation": _active(network.encode(validation), run.threshold),
        "explained": _explained(network, validation),
        "strength": strength,
        "dead": int(silence.dead.sum()),
        "said": said,
    }


def _batches(x: Tensor, run: Run) -> Iterator[Tensor]:
    generator = torch.Generator().manual_seed(1000 + run.seed)
    while True:
        order = torch.randperm(len(x), generator=generator)
        for rows in order[: len(order) // run.batch * run.batch].split(run.batch):
            yield x[rows]


def _active(coding: Tensor, threshold: float) -> float:
    active = rz.monitor.ActiveUnits(threshold)
    active.update(coding)
    return active.value()


def _explained(network: Autoencoder, x: Tensor) -> float:
    unexplained = rz.monitor.FractionOfVarianceUnexplained()
    unexplained.update(x, network(x))
    return 1 - unexplained.value()
