"""The sizes at which an array is read in another way, set so that small arrays meet every way."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from regularizers.penalties.kernels import thresholds

_HIGH = 2**40

PATHS: dict[str, Mapping[str, int]] = {
    "copied, read together": {"small": _HIGH},
    "by autograd, where it saves them": {"small": 0, "middling": _HIGH},
    "at once": {"small": 0, "middling": 0},
    "read at once, slope in pieces": {"small": 0, "middling": 0, "at_once": 0, "piece": 40},
    "in pieces": {"small": 0, "middling": 0, "at_once": 0, "piece": 7, "large": 0},
}
"""Every way to read an output, and the sizes that lead there."""


@contextmanager
def sizes(
    *,
    small: int = thresholds.COPIED,
    middling: int = thresholds.BY_AUTOGRAD,
    at_once: int = thresholds.GRADIENT_AT_ONCE,
    piece: int = thresholds.PIECE,
    large: int = thresholds.LARGE,
) -> Iterator[None]:
    """Set the thresholds until the context is left."""
    wanted = {"COPIED": small, "BY_AUTOGRAD": middling, "GRADIENT_AT_ONCE": at_once}
    wanted |= {"PIECE": piece, "LARGE": large}
    before = {name: getattr(thresholds, name) for name in wanted}
    try:
        for name, size in wanted.items():
            setattr(thresholds, name, size)
        yield
    finally:
        for name, size in before.items():
            setattr(thresholds, name, size)
