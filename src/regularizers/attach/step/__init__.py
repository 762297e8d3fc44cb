"""Penalties of weights within the step of an optimizer: gradients before it, zeros after it."""

from regularizers.attach.step._apply import Apply
from regularizers.attach.step._carried_state import Carried
from regularizers.attach.step._optimizer_hooks import Owner, Steps
from regularizers.attach.step._ownership import Holding
from regularizers.attach.step._replaced import replaced_by

__all__ = ["Apply", "Carried", "Holding", "Owner", "Steps", "replaced_by"]
