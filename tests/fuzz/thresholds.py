"""Sizes from which arrays are read in other ways, set low so that small arrays meet every way."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

from fuzz.case import Thresholds
from regularizers.attach.collect import _batched as _together
from regularizers.attach.reading import _absolute
from regularizers.attach.reading import _eager as _quick
from regularizers.penalties.kernels import _pieces

_ORIGINALS = {
    "small": ("SMALL", _together),
    "middling": ("_MIDDLING", _absolute),
    "at_once": ("AT_ONCE", _quick),
    "piece": ("PIECE", _pieces),
    "large": ("LARGE", _pieces),
}
_PACKAGES = ("regularizers.attach", "regularizers.penalties")


def _holders(name: str, value: int) -> list[ModuleType]:
    """Return the modules that hold a threshold, also those that imported it by name."""
    return [
        module
        for module_name, module in sys.modules.items()
        if module_name.startswith(_PACKAGES) and vars(module).get(name) == value
    ]


@contextmanager
def thresholds(wanted: Thresholds) -> Iterator[None]:
    """Set thresholds, and set them back."""
    changed = []
    try:
        for field, (name, home) in _ORIGINALS.items():
            size, value = getattr(wanted, field), getattr(home, name)
            if size is not None:
                for module in _holders(name, value):
                    changed.append((module, name, value))
                    setattr(module, name, size)
        yield
    finally:
        for module, name, value in changed:
            setattr(module, name, value)
