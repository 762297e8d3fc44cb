"""Strengths that change while a model trains: schedules by the step, and targets to be reached.

A penalty takes one in place of a number: `L1(LinearWarmup(1e-3, steps=1000))`. The Regularization
keeps the current step and strength.
"""

from regularizers.control._average import Average
from regularizers.control._batch import Batch
from regularizers.control._diagnosis import Block, Diagnosis
from regularizers.control._law import QUIET, Law, Scalar, State
from regularizers.control._packed import Packed
from regularizers.control._proportional_integral import Constants, ProportionalIntegral, shares_of
from regularizers.control._schedules import Constant, Cosine, LinearWarmup, Piecewise
from regularizers.control._steps import at_step
from regularizers.control._target import Target, check_target, check_wanted
from regularizers.control._target_loss import TargetLoss
from regularizers.control._target_zeros import TargetZeros
from regularizers.control._targets import TargetActive, TargetMean, TargetNorm

__all__ = [
    "QUIET",
    "Average",
    "Batch",
    "Block",
    "Constant",
    "Constants",
    "Cosine",
    "Diagnosis",
    "Law",
    "LinearWarmup",
    "Packed",
    "Piecewise",
    "ProportionalIntegral",
    "Scalar",
    "State",
    "Target",
    "TargetActive",
    "TargetLoss",
    "TargetMean",
    "TargetNorm",
    "TargetZeros",
    "at_step",
    "check_target",
    "check_wanted",
    "shares_of",
]
