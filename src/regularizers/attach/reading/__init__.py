"""How an activation or a weight is read for its penalty."""

from regularizers.attach.reading import _namespace as xp
from regularizers.attach.reading._gauge import Gauge
from regularizers.attach.reading._never_fired import REVERSIBLE, never_fired_message
from regularizers.attach.reading._plan import WAYS, Plan, penalise, plan_for
from regularizers.attach.reading._record import Record
from regularizers.attach.reading._tap import MAX_PLANS, Tap
from regularizers.attach.reading._target_measurements import Amount
from regularizers.attach.reading._totals import device_of, total
from regularizers.attach.reading._weights import read_weights
from regularizers.attach.reading._weights_in_loss import WeightsInLoss

__all__ = [
    "MAX_PLANS",
    "REVERSIBLE",
    "WAYS",
    "Amount",
    "Gauge",
    "Plan",
    "Record",
    "Tap",
    "WeightsInLoss",
    "device_of",
    "never_fired_message",
    "penalise",
    "plan_for",
    "read_weights",
    "total",
    "xp",
]
