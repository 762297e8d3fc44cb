"""Contenders timed in one process, in turns: what else the machine does meets them alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping

Contenders = Mapping[str, Callable[[], object]]


def medians(contenders: Contenders, *, seconds: float = 3.0) -> dict[str, float]:
    """Return the median time of each, in seconds.

    They take turns in rounds. A call that takes less than a millisecond is repeated within its
    turn until it takes that long.
    """
    repeats = {name: _repeats(call) for name, call in contenders.items()}
    times: dict[str, list[float]] = {name: [] for name in contenders}
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(next(iter(times.values()))) < 5:
        for name, call in contenders.items():
            times[name].append(_timed(call, repeats[name]))
    return {name: statistics.median(of) for name, of in times.items()}


def _repeats(call: Callable[[], object]) -> int:
    call()
    call()  # a compiler may compile again for the second
    return max(1, round(1e-3 / max(_timed(call, 3), 1e-9)))


def _timed(call: Callable[[], object], repeats: int) -> float:
    begin = time.perf_counter()
    for _ in range(repeats):
        call()
    return (time.perf_counter() - begin) / repeats
