"""The second delivery: the gradient enters by the data path."""

from regularizers.attach.inject._inject import Injection
from regularizers.attach.inject._scale import Scale
from regularizers.attach.inject._tap import Injecting

__all__ = [
    "Injecting",
    "Injection",
    "Scale",
]
