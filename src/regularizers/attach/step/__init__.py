"""Penalties of weights within the step of an optimizer: gradients before it, zeros after it."""

from regularizers.attach.step._apply import Apply
from regularizers.attach.step._carried import Carried
from regularizers.attach.step._holding import Holding
from regularizers.attach.step._steps import Steps, owners

__all__ = ["Apply", "Carried", "Holding", "Steps", "owners"]
