"""The methods that are compared: ways to keep a network from overfitting."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

import regularizers as rz
from regularizers.recipes.classifier._config import Config

BASELINE = "none"


@dataclass(frozen=True)
class Method:
    """One way to train the network.

    Args:
        name: what the table calls it.
        rules: penalties; those of kernels enter within the optimizer's step.
        dropout: probability of `nn.Dropout` after each hidden layer.
        batch_norm: whether a batch normalization stands before each nonlinearity.
    """

    name: str
    rules: tuple[rz.Rule, ...] = ()
    dropout: float = 0.0
    batch_norm: bool = False

    @property
    def penalises_kernels(self) -> bool:
        """Whether kernels are penalised, inside the optimizer's step."""
        return any(rule.kind == "kernel" for rule in self.rules)

    @property
    def file_name(self) -> str:
        """The name as part of a file's."""
        return file_name(self.name)


def file_name(method: str) -> str:
    """Return the name of a method as part of a file's."""
    return method.lower().replace(" ", "-")


def methods_of(config: Config) -> list[Method]:
    """Return the methods that a run compares; first the one without regularization."""
    # weight decay adds λw, the gradient of λ/2 · Σw²
    decay = rz.kernel(rz.L2Squared(config.weight_decay / 2))
    l1 = rz.kernel(rz.L1(config.l1), proximal=True)
    # over units too, since a picture's convolutions have as many as it has pixels, times channels
    activity = rz.activity(rz.L1(config.activity), where=nn.ReLU, reduce="mean")
    return [
        Method(BASELINE),
        Method("weight decay", (decay,)),
        Method("L1 kernels", (l1,)),
        Method("dropout", dropout=config.dropout),
        Method("batch norm", batch_norm=True),
        Method("L1 activity", (activity,)),
        Method("all together", (decay, l1, activity), config.dropout, batch_norm=True),
    ]
