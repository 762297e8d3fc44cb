"""Rules: penalties, and the sites they are for."""

from regularizers.attach.rules._activity import activity, ar, tar
from regularizers.attach.rules._measured import INITIAL, Tensors, Weights
from regularizers.attach.rules._rule import Kind, Rule, check_are_rules
from regularizers.attach.rules._weights import bias, kernel

__all__ = [
    "INITIAL",
    "Kind",
    "Rule",
    "Tensors",
    "Weights",
    "activity",
    "ar",
    "bias",
    "check_are_rules",
    "kernel",
    "tar",
]
