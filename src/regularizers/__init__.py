"""Regularization for neural networks: the right gradient or a loud error, no model edited.

Names only. What needs PyTorch is loaded when it is first asked for, so that penalties on arrays
need no array library but the one the arrays come from.
"""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING

from regularizers import control, errors, penalties
from regularizers._hints import said_of
from regularizers.control import (
    Constant,
    Cosine,
    Law,
    LinearWarmup,
    Piecewise,
    Target,
    TargetActive,
    TargetLoss,
    TargetMean,
    TargetNorm,
    TargetZeros,
)
from regularizers.errors import (
    ArrayTypeError,
    CollectionError,
    ConfigurationError,
    DataError,
    OutputError,
    ReadOnlyError,
    RegimeError,
    RegularizersError,
    RunFolderError,
    SelectionError,
    ShapeError,
    StrengthError,
    StrengthTypeError,
)
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
        diagonal_fisher,
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
    "ArrayTypeError",
    "Budget",
    "CollectionError",
    "ConfigurationError",
    "Constant",
    "Cosine",
    "DataError",
    "Elementwise",
    "FromFunction",
    "GroupLasso",
    "Huber",
    "KLSparsity",
    "L2Norm",
    "L2Squared",
    "Law",
    "LinearWarmup",
    "Lp",
    "Monitor",
    "Orthogonal",
    "OutputError",
    "Penalty",
    "Piecewise",
    "ReadOnlyError",
    "RegimeError",
    "Regularization",
    "RegularizersError",
    "Report",
    "Rule",
    "RunFolderError",
    "Schedule",
    "SelectionError",
    "ShapeError",
    "StrengthError",
    "StrengthTypeError",
    "Target",
    "TargetActive",
    "TargetLoss",
    "TargetMean",
    "TargetNorm",
    "TargetZeros",
    "Temporal",
    "Term",
    "activity",
    "ar",
    "bias",
    "control",
    "diagonal_fisher",
    "errors",
    "functional",
    "kernel",
    "layers",
    "monitor",
    "penalties",
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
    "diagonal_fisher",
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
    raise AttributeError(said_of(name, __all__))


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
