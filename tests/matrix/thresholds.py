"""The sizes at which an array is read in another way, set so that small arrays meet every way."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from regularizers.attach.collect import _batched as _together
from regularizers.attach.reading import _absolute
from regularizers.attach.reading import _eager as _quick
from regularizers.penalties.kernels import _pieces

_HIGH = 2**40

PATHS: dict[str, Mapping[str, int]] = {
    "copied, read together": {"small": _HIGH},
    "absolute values by themselves": {"small": 0, "middling": _HIGH},
    "at once": {"small": 0, "middling": 0},
    "read at once, slope in pieces": {"small": 0, "middling": 0, "at_once": 0, "piece": 40},
    "in pieces": {"small": 0, "middling": 0, "at_once": 0, "piece": 7, "large": 0},
}
"""Every way to read an output, and the sizes that lead there."""


@contextmanager
def sizes(
    *,
    small: int = _together.SMALL,
    middling: int = _absolute._MIDDLING,
    at_once: int = _quick.AT_ONCE,
    piece: int = _pieces.PIECE,
    large: int = _pieces.LARGE,
) -> Iterator[None]:
    """Set the thresholds until the context is left."""
    wanted = {"SMALL": small, "_MIDDLING": middling, "AT_ONCE": at_once, "PIECE": piece}
    wanted["LARGE"] = large
    before = []
    for name, module in list(sys.modules.items()):
        if name.startswith(("regularizers.attach", "regularizers.penalties")):
            for threshold, value in wanted.items():
                if isinstance(known := module.__dict__.get(threshold), int):
                    if (name, threshold) == ("regularizers.attach.reading._gpu", "LARGE"):
                        continue
                    before.append((module, threshold, known))
                    setattr(module, threshold, value)
    try:
        yield
    finally:
        for module, threshold, known in before:
            setattr(module, threshold, known)
