"""Constraints on arrays: array in, the nearest array that satisfies the constraint out.

Nothing here imports an array library; each array provides its own namespace.
"""

from regularizers.constraints._bounds import Bounds
from regularizers.constraints._constraint import Constraint, project, tangential
from regularizers.constraints._max_norm import MaxNorm
from regularizers.constraints._min_max_norm import MinMaxNorm
from regularizers.constraints._non_negative import NonNegative
from regularizers.constraints._unit_norm import UnitNorm
from regularizers.constraints._vectors import VectorConstraint

__all__ = [
    "Bounds",
    "Constraint",
    "MaxNorm",
    "MinMaxNorm",
    "NonNegative",
    "UnitNorm",
    "VectorConstraint",
    "project",
    "tangential",
]
