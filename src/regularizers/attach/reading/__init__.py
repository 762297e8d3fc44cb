"""How an activation or a weight is read for its penalty."""

from regularizers.attach.reading import _namespace as xp
from regularizers.attach.reading._absolute import (
    is_sum_of_absolute,
    sum_of_absolute,
)
from regularizers.attach.reading._gauge import (
    Gauge,
)
from regularizers.attach.reading._measure import (
    Reading,
    measure_now,
)
from regularizers.attach.reading._never_fired import (
    REVERSIBLE,
    never_fired,
)
from regularizers.attach.reading._record import (
    Record,
)
from regularizers.attach.reading._tap import (
    Tap,
)
from regularizers.attach.reading._totals import (
    device_of,
    total,
)
from regularizers.attach.reading._weights import (
    read_weights,
)

__all__ = [
    "REVERSIBLE",
    "Gauge",
    "Reading",
    "Record",
    "Tap",
    "device_of",
    "is_sum_of_absolute",
    "measure_now",
    "never_fired",
    "read_weights",
    "sum_of_absolute",
    "total",
    "xp",
]
