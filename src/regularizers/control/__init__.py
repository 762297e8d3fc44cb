"""Strengths that change while a model trains: by the step, or by what is to be reached.

A penalty takes one in the place of a number: `L1(LinearWarmup(1e-3, steps=1000))`. Where it stands
is known to the Regularization alone.
"""

from regularizers.control._schedules import Constant, Cosine, LinearWarmup, Piecewise
from regularizers.control._targets import TargetActive, TargetMean, TargetNorm

__all__ = [
    "Constant",
    "Cosine",
    "LinearWarmup",
    "Piecewise",
    "TargetActive",
    "TargetMean",
    "TargetNorm",
]
