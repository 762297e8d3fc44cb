"""Penalties of weights within the step of an optimizer: gradients before it, zeros after it."""

from regularizers.attach.step._apply import Apply
from regularizers.attach.step._carried import Carried
from regularizers.attach.step._holding import Holding
from regularizers.attach.step._replaced import replaced_by
from regularizers.attach.step._steps import Owner, Steps

__all__ = ["Apply", "Carried", "Holding", "Owner", "Steps", "replaced_by"]
