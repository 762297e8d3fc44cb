"""The metrics of a trained classifier, and their table."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from regularizers._text import table
from regularizers.recipes.classifier._confusion import balanced_accuracy, confusion
from regularizers.recipes.classifier._methods import BASELINE
from regularizers.recipes.classifier._parts import Part, Parts

_AT_ONCE = 1000
"""Samples of one forward pass."""
_SHOWN = 5e-5
"""What is shown as 0.00 points is no difference."""


@dataclass(frozen=True)
class Metrics:
    """Figures of one network, in evaluation mode."""

    train_accuracy: float
    validation_accuracy: float
    balanced_accuracy: float
    """The mean over the classes of the share of their validation samples that are right."""
    majority_accuracy: float
    """What a guess of the most frequent class of the training part has on validation samples."""
    zeros: float
    mean_activation: float
    confusion: dict[str, dict[str, int]]
    """Validation samples by their class, then by the class they were taken for; without zeros."""
    test_accuracy: float | None = None
    """On the samples of `--test`, of which nothing is chosen; None without them."""
    test_balanced_accuracy: float | None = None

    @property
    def gap(self) -> float:
        """How much better the network is on what it has seen."""
        return self.train_accuracy - self.validation_accuracy


def measure(network: nn.Module, parts: Parts) -> Metrics:
    """Return the figures of `network`, which reads the parts as they are.

    Accuracies are shares of samples; zeros the share of kernel weights that are exactly 0; the
    mean activation that of all outputs of the nonlinearities on the validation samples.
    """
    training, validation, test = parts.training, parts.validation, parts.test
    kernels = [m.weight for m in network.modules() if isinstance(m, nn.Linear | nn.Conv2d)]
    found, mean_activation = _classes_and_activation(network, validation)
    majority = training.y.bincount().argmax()
    tested = None if test is None else _classes_and_activation(network, test)[0]
    return Metrics(
        train_accuracy=_share(_classes_and_activation(network, training)[0] == training.y),
        validation_accuracy=_share(found == validation.y),
        balanced_accuracy=balanced_accuracy(validation.y, found),
        majority_accuracy=_share(validation.y == majority),
        zeros=sum(int((w == 0).sum()) for w in kernels) / sum(w.numel() for w in kernels),
        mean_activation=mean_activation,
        confusion=confusion(validation.y, found, parts.classes),
        test_accuracy=None if test is None or tested is None else _share(tested == test.y),
        test_balanced_accuracy=(
            None if test is None or tested is None else balanced_accuracy(test.y, tested)
        ),
    )


@torch.no_grad()
def _classes_and_activation(network: nn.Module, part: Part) -> tuple[Tensor, float]:
    """Return the class that the network gives each sample, and the mean output of its ReLUs."""
    total, count = 0.0, 0

    def add(_module: nn.Module, _inputs: object, output: Tensor) -> None:
        nonlocal total, count
        total += output.sum(dtype=torch.float64).item()
        count += output.numel()

    network.eval()
    handles = [m.register_forward_hook(add) for m in network.modules() if isinstance(m, nn.ReLU)]
    try:
        starts = range(0, len(part.y), _AT_ONCE)
        parts = [part.x[start : start + _AT_ONCE] for start in starts]
        found = torch.cat([network(x).argmax(dim=1) for x in parts])
    finally:
        for handle in handles:
            handle.remove()
    return found, total / count


def _share(right: Tensor) -> float:
    return int(right.sum()) / len(right)


def results_table(metrics: Mapping[str, Sequence[Metrics]]) -> str:
    """Return a table of the figures of all methods over their seeds, with notes."""
    header = ["method", "train %", "validation %", "balanced %", "gap", "zeros %"]
    cells = [[*header, "mean activation"]] + [
        [
            name,
            _spread(100 * m.train_accuracy for m in of_seeds),
            _spread(100 * m.validation_accuracy for m in of_seeds),
            _spread(100 * m.balanced_accuracy for m in of_seeds),
            _spread(100 * m.gap for m in of_seeds),
            _spread((100 * m.zeros for m in of_seeds), form="z.1f"),
            _activation([m.mean_activation for m in of_seeds]),
        ]
        for name, of_seeds in metrics.items()
    ]
    tested = [
        [100 * m.test_accuracy for m in of_seeds if m.test_accuracy is not None]
        for of_seeds in metrics.values()
    ]
    if all(tested):
        cells[0].append("test %")
        for row, accuracies in zip(cells[1:], tested, strict=True):
            row.append(_spread(accuracies))
    return "\n".join([table(cells, right=range(1, len(cells[0]))), *_notes(metrics)])


def _notes(metrics: Mapping[str, Sequence[Metrics]]) -> list[str]:
    seeds = len(metrics[BASELINE])
    # a gap below 0 is none to narrow: it counts by its size
    gaps = {name: abs(_mean(m.gap for m in of_seeds)) for name, of_seeds in metrics.items()}
    validation = {name: [m.validation_accuracy for m in ms] for name, ms in metrics.items()}
    narrower = [
        f"{name} by {100 * (gaps[BASELINE] - gap):.2f}"
        for name, gap in gaps.items()
        if gaps[BASELINE] - gap >= _SHOWN
    ]
    best = max(validation, key=lambda name: _mean(validation[name]))
    gain = _mean(validation[best]) - _mean(validation[BASELINE])
    notes = [
        "Accuracy on training and validation samples"
        + (f", mean ± standard deviation of {seeds} seeds." if seeds > 1 else "."),
        "Balanced: the mean over the classes of their accuracies on validation samples.",
        f"{100 * _mean(m.majority_accuracy for m in metrics[BASELINE]):.2f} % of the validation "
        "samples belong to the class that is most frequent in training.",
        "Zeros: kernel weights that are exactly 0. Activation: hidden units on validation samples.",
        f"Narrower gap than {BASELINE}: {', '.join(narrower) or 'no method'}.",
    ]
    if gain < _SHOWN:
        return [*notes, f"Best on validation samples: {BASELINE}; no method is above it."]
    deviations = ""
    if seeds > 1 and (deviation := statistics.stdev(validation[BASELINE])) > 0:
        deviations = f", {gain / deviation:.1f} of its standard deviations"
    return [
        *notes,
        f"Best on validation samples: {best}, {100 * gain:.2f} points above {BASELINE}"
        f"{deviations}.",
    ]


def _spread(values: Iterable[float], *, form: str = "z.2f") -> str:
    values = list(values)
    mean = f"{_mean(values):{form}}"
    return mean if len(values) == 1 else f"{mean} ± {statistics.stdev(values):{form}}"


def _activation(values: Sequence[float]) -> str:
    """Return activations with three digits of their mean, and no fewer of their deviation."""
    mean = abs(_mean(values))
    after = 3 if mean == 0 else min(max(2 - math.floor(math.log10(mean)), 0), 9)
    return _spread(values, form=f"z.{after}f")


def _mean(values: Iterable[float]) -> float:
    return statistics.fmean(values)
