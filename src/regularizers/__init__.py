"""Regularization for neural networks: the right gradient or a loud error, no model edited.

Names only. What needs PyTorch is loaded when it is first asked for, so that penalties on arrays
need no array library but the one the arrays come from.
"""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING

from regularizers.control import (
    Constant,
    Cosine,
    LinearWarmup,
    Piecewise,
    TargetActive,
    TargetMean,
    TargetNorm,
)
from regularizers.errors import RegularizersError
from regularizers.penalties import (
    AR,
    L1,
    L1L2,
    TAR,
    ActivityRegularization,
    Budget,
    Elementwise,
    FromFunction,
    GroupLasso,
    Huber,
    KLSparsity,
    L2Norm,
    L2Squared,
    Lp,
    Orthogonal,
    Penalty,
    Schedule,
    Temporal,
    Term,
)

if TYPE_CHECKING:
    from regularizers import functional, layers, monitor, testing
    from regularizers.attach import (
        Regularization,
        Report,
        Rule,
        activity,
        ar,
        bias,
        kernel,
        regularize,
        tar,
        weight_decay_groups,
    )
    from regularizers.monitor import Monitor

__version__ = version("regularizers")

__all__ = [
    "AR",
    "L1",
    "L1L2",
    "TAR",
    "ActivityRegularization",
    "Budget",
    "Constant",
    "Cosine",
    "Elementwise",
    "FromFunction",
    "GroupLasso",
    "Huber",
    "KLSparsity",
    "L2Norm",
    "L2Squared",
    "LinearWarmup",
    "Lp",
    "Monitor",
    "Orthogonal",
    "Penalty",
    "Piecewise",
    "Regularization",
    "RegularizersError",
    "Report",
    "Rule",
    "Schedule",
    "TargetActive",
    "TargetMean",
    "TargetNorm",
    "Temporal",
    "Term",
    "activity",
    "ar",
    "bias",
    "functional",
    "kernel",
    "layers",
    "monitor",
    "regularize",
    "tar",
    "testing",
    "weight_decay_groups",
]

_ATTACH = {
    "Regularization",
    "Report",
    "Rule",
    "activity",
    "ar",
    "bias",
    "kernel",
    "regularize",
    "tar",
    "weight_decay_groups",
}
_ROOMS = {"functional", "layers", "monitor", "testing"}


def __getattr__(name: str) -> object:
    if name in _ATTACH:
        return getattr(import_module("regularizers.attach"), name)
    if name == "Monitor":
        return import_module("regularizers.monitor").Monitor
    if name in _ROOMS:
        return import_module(f"regularizers.{name}")
    raise AttributeError(_unknown(name))


def __dir__() -> list[str]:
    return [*__all__, "__version__"]


def _unknown(name: str) -> str:
    if name == "L2":
        return (
            "regularizers has no L2, because half the field means the norm by it and half its "
            "square: use L2Norm (the root of the sum of squares) or L2Squared (the sum of "
            "squares; Keras calls it L2)"
        )
    return f"module 'regularizers' has no attribute {name!r}"
