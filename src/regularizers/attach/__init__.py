"""Penalties attached to PyTorch models: rules, sites, taps, and the one autograd Function."""

from regularizers.attach._diagonal_fisher import diagonal_fisher
from regularizers.attach._regularization import Regularization
from regularizers.attach._report import Report
from regularizers.attach.rules import (
    AnyRule,
    ConstraintRule,
    Rule,
    activity,
    ar,
    bias,
    constraint,
    kernel,
    tar,
)
from regularizers.attach.sites import regularize, weight_decay_groups

__all__ = [
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
]
