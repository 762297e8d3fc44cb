"""The metrics of a trained classifier, and their table."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from regularizers._text import table
from regularizers.recipes.classifier._methods import BASELINE
from regularizers.recipes.classifier._parts import Part

_AT_ONCE = 1000
_SHOWN = 5e-5
"""What is shown as 0.00 points is no difference."""


@dataclass(frozen=True)
class Metrics:
    """Figures of one network, in evaluation mode."""

    train_accuracy: float
    validation_accuracy: float
    zeros: float
    mean_activation: float

    @property
    def gap(self) -> float:
        """How much better the network is on what it has seen."""
        return self.train_accuracy - self.validation_accuracy


def measure(network: nn.Module, training: Part, validation: Part) -> Metrics:
    """Return the figures of `network`.

    Accuracies are shares of samples; zeros the share of kernel weights that are exactly 0; the
    mean activation that of all outputs of the nonlinearities on the validation samples.
    """
    kernels = [m.weight for m in network.modules() if isinstance(m, nn.Linear | nn.Conv2d)]
    train_accuracy, _ = _accuracy_and_activation(network, training)
    validation_accuracy, mean_activation = _accuracy_and_activation(network, validation)
    return Metrics(
        train_accuracy=train_accuracy,
        validation_accuracy=validation_accuracy,
        zeros=sum(int((w == 0).sum()) for w in kernels) / sum(w.numel() for w in kernels),
        mean_activation=mean_activation,
    )


@torch.no_grad()
def _accuracy_and_activation(network: nn.Module, part: Part) -> tuple[float, float]:
    total, count, right = 0.0, 0, 0

    def add(_module: nn.Module, _inputs: object, output: Tensor) -> None:
        nonlocal total, count
        total += output.sum(dtype=torch.float64).item()
        count += output.numel()

    network.eval()
    handles = [m.register_forward_hook(add) for m in network.modules() if isinstance(m, nn.ReLU)]
    try:
        for start in range(0, len(part.y), _AT_ONCE):
            some = slice(start, start + _AT_ONCE)
            right += int((network(part.x[some]).argmax(dim=1) == part.y[some]).sum())
    finally:
        for handle in handles:
            handle.remove()
    return right / len(part.y), total / count


def results_table(metrics: Mapping[str, Sequence[Metrics]]) -> str:
    """Return a table of the figures of all methods over their seeds, with notes."""
    header = ("method", "train %", "validation %", "gap", "zeros %", "mean activation")
    cells = [header] + [
        (
            name,
            _spread(100 * m.train_accuracy for m in of_seeds),
            _spread(100 * m.validation_accuracy for m in of_seeds),
            _spread(100 * m.gap for m in of_seeds),
            _spread((100 * m.zeros for m in of_seeds), form="z.1f"),
            _activation([m.mean_activation for m in of_seeds]),
        )
        for name, of_seeds in metrics.items()
    ]
    return "\n".join([table(cells, right=range(1, 6)), *_notes(metrics)])


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
