"""The sweeps: which penalty, on which network, at which strengths or targets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import nn

import regularizers as rz

Rules = Callable[[float], Sequence[rz.Rule]]

LARGER = 100.0
"""What inputs are multiplied by where the outputs of layers are to be too large."""


@dataclass(frozen=True)
class Sweep:
    """One penalty at several strengths or targets.

    Args:
        strengths: from weak to strong.
        rules: those of a strength.
        beside: the figure that is shown beside the accuracy.
        network: which network is trained.
        symbol: what the strengths are called.
    """

    strengths: tuple[float, ...]
    rules: Rules
    beside: str
    network: str = "plain"
    symbol: str = "λ"


PLAIN, LARGE, DEEP, TWO_TASKS = "plain", "large inputs", "deep", "two tasks"

_GAP, _UNITS = "gap", ["0", "2"]


def _towards(strength: float) -> list[rz.Rule]:
    penalty = rz.L2Squared(strength / 2)
    return [rz.kernel(penalty, towards="initial"), rz.bias(penalty, towards="initial")]


SWEEPS: dict[str, Sweep] = {
    "weight decay": Sweep(
        (1e-3, 3e-3, 1e-2, 3e-2, 1e-1), lambda s: [rz.kernel(rz.L2Squared(s / 2))], _GAP
    ),
    "L1 of kernels": Sweep(
        (1e-4, 3e-4, 1e-3, 3e-3, 1e-2),
        lambda s: [rz.kernel(rz.L1(s), proximal=True)],
        _GAP,
    ),
    "dropout": Sweep((0.1, 0.25, 0.5, 0.65, 0.8), lambda s: [], _GAP, symbol="p"),
    "L1 of activations": Sweep(
        (0.03, 0.1, 0.3, 1.0, 3.0),
        lambda s: [rz.activity(rz.L1(s), where=nn.ReLU, reduce="mean")],
        _GAP,
    ),
    "L2 of outputs": Sweep(
        (1e-5, 1e-4, 1e-3, 1e-2),
        lambda s: [rz.activity(rz.L2Squared(s), where=_UNITS, reduce="mean")],
        "saturated",
        LARGE,
    ),
    "TargetMean": Sweep(
        (10.0, 3.0, 1.0, 0.3),
        lambda s: [rz.activity(rz.L1(rz.TargetMean(s)), where=_UNITS)],
        "saturated",
        LARGE,
        "target",
    ),
    "TargetActive": Sweep(
        (0.3, 0.1, 0.05, 0.02),
        lambda s: [rz.activity(rz.L1(rz.TargetActive(fraction=s)), where=nn.ReLU)],
        "active",
        symbol="target",
    ),
    "TargetActive, falling": Sweep(
        (0.3, 0.1, 0.05, 0.02),
        lambda s: [
            rz.activity(
                rz.L1(rz.TargetActive(fraction=rz.Cosine(0.6, s, steps=250))), where=nn.ReLU
            )
        ],
        "active",
        symbol="target",
    ),
    "TargetZeros": Sweep(
        (0.5, 0.8, 0.9, 0.97),
        lambda s: [rz.kernel(rz.L1(rz.TargetZeros(s)), proximal=True)],
        "zeros",
        symbol="target",
    ),
    "group lasso": Sweep(
        (1e-3, 3e-3, 1e-2, 3e-2),
        lambda s: [
            rz.kernel(rz.GroupLasso(s, axis="output", with_bias=True), where=_UNITS, proximal=True)
        ],
        "units left",
    ),
    "Orthogonal": Sweep(
        (1e-4, 1e-3, 1e-2, 1e-1),
        lambda s: [rz.kernel(rz.Orthogonal(s, axis="output"), where=lambda m, _: _is_square(m))],
        "condition",
        DEEP,
    ),
    "ConfidencePenalty": Sweep(
        (0.03, 0.1, 0.3, 1.0),
        lambda s: [rz.activity(rz.ConfidencePenalty(s), where=lambda m, name: name == "logits")],
        "calibration",
        symbol="β",
    ),
    "L2-SP": Sweep((3e-3, 1e-2, 3e-2, 1e-1), _towards, "first task", TWO_TASKS),
}


def _is_square(module: nn.Module) -> bool:
    return isinstance(module, nn.Linear) and module.in_features == module.out_features
