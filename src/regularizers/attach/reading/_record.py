"""What a tap has read of one output for one penalty."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from regularizers.penalties.arrays import Denominator


class Record(NamedTuple):
    """What one penalty is a function of, as read from one output."""

    key: str
    statistic: Tensor
    denominator: Denominator
    backward_id: Tensor | None = None
    """Of a record made by compiled code: the backward pass it was made in, or minus the thread."""
    amount: Tensor | None = None
    """Of a penalty with a target: the total and the count of what it measures."""
