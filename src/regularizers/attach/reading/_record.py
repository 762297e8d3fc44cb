"""The record that a tap makes of one output for one penalty."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from regularizers.attach.reading._target_measurements import Amount
from regularizers.penalties.arrays import Denominator


class Record(NamedTuple):
    """The statistic and the denominator of one penalty, read from one output."""

    key: str
    statistic: Tensor
    denominator: Denominator
    backward_id: Tensor | None = None
    """In compiled code: the id of the running backward pass, or else the negated thread id."""
    amount: Amount | None = None
    """For a penalty with a target: the total and the count that it measures."""
