"""Penalties of weights within the step of an optimizer: gradients before it, zeros after it."""

from regularizers.attach.step._apply import Apply
from regularizers.attach.step._holding import Holding
from regularizers.attach.step._steps import Steps

__all__ = ["Apply", "Holding", "Steps"]
