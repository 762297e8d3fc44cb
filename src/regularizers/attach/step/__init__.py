"""Penalties of weights within the step of an optimizer: gradients before it, zeros after it."""

from regularizers.attach.step._apply import Apply
from regularizers.attach.step._attach import attach_to
from regularizers.attach.step._optimizer_hooks import Owner

__all__ = ["Apply", "Owner", "attach_to"]
