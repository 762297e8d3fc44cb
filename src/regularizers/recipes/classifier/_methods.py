"""The methods that are compared: ways to keep a network from overfitting."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

import regularizers as rz
from regularizers.recipes.classifier._config import Config
from regularizers.recipes.classifier._strengths import TOGETHER

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
    rules = _rules(config)
    chosen = set(config.together)
    return [
        Method(BASELINE),
        Method("weight decay", rules["weight-decay"]),
        Method("L1 kernels", rules["l1"]),
        Method("dropout", dropout=config.dropout),
        Method("batch norm", batch_norm=True),
        Method("L1 activity", rules["activity"]),
        Method(
            "all together" if chosen == set(TOGETHER) else "together",
            _of(rules, chosen),
            config.dropout if "dropout" in chosen else 0.0,
            batch_norm="batch-norm" in chosen,
        ),
    ]


def combined(config: Config, strengths: Mapping[str, float]) -> Method:
    """Return the method of some strengths alone; one of 0 is left out.

    Args:
        config: all other settings.
        strengths: by their options.
    """
    there = {name: strength for name, strength in strengths.items() if strength}
    settings: dict[str, Any] = {name.replace("-", "_"): s for name, s in there.items()}
    given = dataclasses.replace(config, **settings)
    name = ", ".join(f"{name} {strength:g}" for name, strength in there.items())
    return Method(name or BASELINE, _of(_rules(given), there), there.get("dropout", 0.0))


def _rules(config: Config) -> dict[str, tuple[rz.Rule, ...]]:
    return {
        # weight decay adds λw, the gradient of λ/2 · Σw²
        "weight-decay": (rz.kernel(rz.L2Squared(config.weight_decay / 2)),),
        "l1": (rz.kernel(rz.L1(config.l1), proximal=True),),
        # over units too, since a picture's convolutions have as many as it has pixels, times
        # channels
        "activity": (rz.activity(rz.L1(config.activity), where=nn.ReLU, reduce="mean"),),
    }


def _of(rules: Mapping[str, tuple[rz.Rule, ...]], names: Collection[str]) -> tuple[rz.Rule, ...]:
    return tuple(rule for name, some in rules.items() if name in names for rule in some)
