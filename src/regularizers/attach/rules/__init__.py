"""Rules: penalties and constraints, and the sites they are for."""

from regularizers.attach.rules._activity import activity, ar, tar
from regularizers.attach.rules._constraint import ConstraintRule, constraint
from regularizers.attach.rules._measured import INITIAL, Tensors, Weights
from regularizers.attach.rules._rule import AnyRule, Kind, Rule, check_are_rules
from regularizers.attach.rules._weights import bias, kernel

__all__ = [
    "INITIAL",
    "AnyRule",
    "ConstraintRule",
    "Kind",
    "Rule",
    "Tensors",
    "Weights",
    "activity",
    "ar",
    "bias",
    "check_are_rules",
    "constraint",
    "kernel",
    "tar",
]
