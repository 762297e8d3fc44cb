"""Weight penalties inside an optimizer's step: gradients before the update, shrinkage after it."""

from regularizers.attach.step._apply import Apply
from regularizers.attach.step._carried_state import CarriedState
from regularizers.attach.step._optimizer_hooks import AttachedRegularization, StepHooks
from regularizers.attach.step._ownership import Ownership
from regularizers.attach.step._replaced import replaced_by

__all__ = [
    "Apply",
    "AttachedRegularization",
    "CarriedState",
    "Ownership",
    "StepHooks",
    "replaced_by",
]
