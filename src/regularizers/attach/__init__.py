"""Penalties attached to PyTorch models: rules, sites, taps, and the one autograd Function."""

from regularizers.attach._marks import regularize
from regularizers.attach._regularization import Regularization
from regularizers.attach._report import Report
from regularizers.attach._rules import Rule, activity, bias, kernel

__all__ = ["Regularization", "Report", "Rule", "activity", "bias", "kernel", "regularize"]
