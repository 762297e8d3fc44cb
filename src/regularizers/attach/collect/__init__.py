"""The default delivery: the penalty is a term of the loss."""

from regularizers.attach.collect._collect import Collect
from regularizers.attach.collect._ledger import Ledger
from regularizers.attach.collect._tap import Collecting

__all__ = [
    "Collect",
    "Collecting",
    "Ledger",
]
