"""Weight penalties inside an optimizer's step: gradients before the update, shrinkage after it."""

from regularizers.attach.step._apply import Apply
from regularizers.attach.step._attach import attach_to
from regularizers.attach.step._optimizer_hooks import AttachedRegularization

__all__ = ["Apply", "AttachedRegularization", "attach_to"]
