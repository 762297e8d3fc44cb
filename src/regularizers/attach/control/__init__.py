"""Strengths that change: schedules and targets of one regularization."""

from regularizers.attach.control._control import (
    Control,
)
from regularizers.attach.control._controller import (
    Reached,
)
from regularizers.attach.control._loaded import (
    Loaded,
)

__all__ = [
    "Control",
    "Loaded",
    "Reached",
]
