"""Penalties attached to PyTorch models: rules, sites, taps, and the one autograd Function."""

from regularizers.attach._activity_rules import activity, ar, tar
from regularizers.attach._decay_groups import weight_decay_groups
from regularizers.attach._marks import regularize
from regularizers.attach._regularization import Regularization
from regularizers.attach._report import Report
from regularizers.attach._rules import Rule, bias, kernel

__all__ = [
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
]
