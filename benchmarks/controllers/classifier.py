"""One classifier, trained with a target of zeros, a target of its loss, or a constant strength."""

from __future__ import annotations

import statistics
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import count, islice
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

import regularizers as rz

# the recipe's data, network and metrics, with another optimizer
from regularizers.recipes._batches import Batches
from regularizers.recipes.classifier import Config
from regularizers.recipes.classifier._data import Data
from regularizers.recipes.classifier._metrics import measure
from regularizers.recipes.classifier._networks import mlp
from regularizers.recipes.classifier._parts import Part, parts
from regularizers.recipes.data import Labelled, load_labelled_digits, load_with_labels

STEPS = 2000
BLOCK = 50
RATE = 1e-3


@dataclass(frozen=True)
class Classifier:
    """One training, with Adam."""

    data: str
    zeros: float | None = None
    """The target of zeros among all kernels; without it and `loss` the strength is constant."""
    over: Literal["rule", "weight"] = "rule"
    loss: float | None = None
    """The target of the loss, for L2Squared on kernels and L1 on activities."""
    constant: float = 0.0
    batch: int = 32
    seed: int = 0

    @property
    def rules(self) -> list[rz.Rule]:
        if self.loss is not None:
            loss = rz.TargetLoss(self.loss)
            hidden = rz.activity(rz.L1(loss), where=nn.ReLU, reduce="mean")
            return [rz.kernel(rz.L2Squared(loss)), hidden]
        zeros = self.zeros and rz.TargetZeros(self.zeros, over=self.over)
        return [rz.kernel(rz.L1(zeros or self.constant), proximal=True)]


@cache
def labelled(data: str) -> Labelled:
    """Return the samples; the labels of a file of MNIST stand in the file of that name beside."""
    if data == "digits":
        return load_labelled_digits()
    images = Path(data)
    return load_with_labels(
        images, images.with_name(images.name.replace("images-idx3", "labels-idx1"))
    )


def classify(run: Classifier) -> dict[str, Any]:
    """Train one network and return its results."""
    torch.set_num_threads(1)
    config = Config()
    measured = parts(Data(labelled(run.data)), config, run.seed)
    training = measured.training
    torch.manual_seed(run.seed)
    network = mlp(training.x.shape[1], config.units, len(labelled(run.data).classes))
    optimizer = torch.optim.Adam(network.parameters(), RATE)
    last = STEPS / 5
    rate = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(1.0, (STEPS - step) / last)
    )
    reg = rz.Regularization(network, run.rules)
    reg.attach(optimizer)
    losses: list[float] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for x, y in islice(_batches(training, run.seed, run.batch), STEPS):
            loss = nn.functional.cross_entropy(network(x), y)
            optimizer.zero_grad()
            (loss + reg.penalty()).backward()
            optimizer.step()
            if run.loss is not None:
                reg.step(loss=loss)
            rate.step()
            losses.append(loss.item())
        said = [str(w.message) for w in caught]
    strength = next(iter(reg.strengths.values()))  # all weights have one
    reg.detach()
    found = measure(network, measured)
    with torch.no_grad():
        whole = nn.functional.cross_entropy(network(training.x), training.y).item()
    return {
        "zeros": found.zeros,
        "accuracy": found.validation_accuracy,
        "training": found.train_accuracy,
        "loss": statistics.fmean(losses[-BLOCK:]),
        "training_loss": whole,
        "strength": strength,
        "said": said,
    }


def _batches(part: Part, seed: int, size: int) -> Iterator[tuple[Tensor, ...]]:
    for epoch in count():
        yield from Batches(part.x, part.y, batch_size=size, seed=seed, epoch=epoch)
