"""Sizes from which arrays are read in other ways, set low so that small arrays meet every way."""

from collections.abc import Iterator
from contextlib import contextmanager

from fuzz.case import Thresholds
from regularizers.penalties.kernels import thresholds

_NAMES = {
    "small": "COPIED",
    "middling": "BY_AUTOGRAD",
    "at_once": "GRADIENT_AT_ONCE",
    "piece": "PIECE",
    "large": "LARGE",
}


@contextmanager
def sizes(wanted: Thresholds) -> Iterator[None]:
    """Set thresholds, and set them back."""
    before = {name: getattr(thresholds, name) for name in _NAMES.values()}
    try:
        for field, name in _NAMES.items():
            if (size := getattr(wanted, field)) is not None:
                setattr(thresholds, name, size)
        yield
    finally:
        for name, size in before.items():
            setattr(thresholds, name, size)
