"""Regularization for neural networks: the right gradient or a loud error, no model edited.

Names only. What needs PyTorch is loaded when it is first asked for, so that penalties on arrays
need no array library but the one the arrays come from.
"""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING

from regularizers import constraints, control, errors, penalties
from regularizers._hints import said_of
from regularizers.constraints import (
    Bounds,
    Constraint,
    MaxNorm,
    MinMaxNorm,
    NonNegative,
    UnitNorm,
)
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
    FrameworkError,
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
    L0,
    L1,
    L1L2,
    TAR,
    ActivityRegularization,
    Budget,
    ConfidencePenalty,
    Decorrelation,
    Elementwise,
    Entropy,
    FromFunction,
    GroupLasso,
    Hinge,
    Hoyer,
    Huber,
    KLSparsity,
    L2Norm,
    L2Squared,
    Laplacian,
    LogSum,
    Lp,
    Orthogonal,
    Penalty,
    Schedule,
    Spectral,
    Temporal,
    Term,
    TotalVariation,
)

if TYPE_CHECKING:
    from regularizers import functional, integrations, layers, monitor, sae, testing
    from regularizers.attach import (
        AnyRule,
        ConstraintRule,
        Regularization,
        Report,
        Rule,
        activity,
        ar,
        bias,
        constraint,
        diagonal_fisher,
        kernel,
        regularize,
        tar,
        weight_decay_groups,
    )
    from regularizers.monitor import Monitor
    from regularizers.pruning import Zeros, compact, prune_zeros, zeros

__version__ = version("regularizers")

__all__ = [
    "AR",
    "L0",
    "L1",
    "L1L2",
    "TAR",
    "ActivityRegularization",
    "AnyRule",
    "ArrayTypeError",
    "Bounds",
    "Budget",
    "CollectionError",
    "ConfidencePenalty",
    "ConfigurationError",
    "Constant",
    "Constraint",
    "ConstraintRule",
    "Cosine",
    "DataError",
    "Decorrelation",
    "Elementwise",
    "Entropy",
    "FrameworkError",
    "FromFunction",
    "GroupLasso",
    "Hinge",
    "Hoyer",
    "Huber",
    "KLSparsity",
    "L2Norm",
    "L2Squared",
    "Laplacian",
    "Law",
    "LinearWarmup",
    "LogSum",
    "Lp",
    "MaxNorm",
    "MinMaxNorm",
    "Monitor",
    "NonNegative",
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
    "Spectral",
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
    "TotalVariation",
    "UnitNorm",
    "Zeros",
    "activity",
    "ar",
    "bias",
    "compact",
    "constraint",
    "constraints",
    "control",
    "diagonal_fisher",
    "errors",
    "functional",
    "integrations",
    "kernel",
    "layers",
    "monitor",
    "penalties",
    "prune_zeros",
    "regularize",
    "sae",
    "tar",
    "testing",
    "weight_decay_groups",
    "zeros",
]

_ATTACH = {
    "AnyRule",
    "ConstraintRule",
    "Regularization",
    "Report",
    "Rule",
    "activity",
    "ar",
    "bias",
    "constraint",
    "diagonal_fisher",
    "kernel",
    "regularize",
    "tar",
    "weight_decay_groups",
}
_PRUNING = {"Zeros", "compact", "prune_zeros", "zeros"}
_ROOMS = {"functional", "integrations", "layers", "monitor", "recipes", "sae", "testing"}


def __getattr__(name: str) -> object:
    if name in _ATTACH:
        return getattr(import_module("regularizers.attach"), name)
    if name in _PRUNING:
        return getattr(import_module("regularizers.pruning"), name)
    if name == "Monitor":
        return import_module("regularizers.monitor").Monitor
    if name in _ROOMS:
        return import_module(f"regularizers.{name}")
    # with its name stated, Python adds no guess of its own to what is said
    raise AttributeError(said_of(name, __all__), name=name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
