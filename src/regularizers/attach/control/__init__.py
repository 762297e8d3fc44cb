"""Strengths that change: schedules and targets of one regularization."""

from regularizers.attach.control._control import Control
from regularizers.attach.control._former_keys import with_todays_keys
from regularizers.attach.control._goal import Reached

__all__ = ["Control", "Reached", "with_todays_keys"]
