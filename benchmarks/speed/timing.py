"""Times contenders in turns in one process, so that other load affects all equally."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

Call = Callable[[], object]
Contenders = Mapping[str, Call]
Clock = Callable[[], float]

SHORT = 5e-3
"""Seconds; a shorter call is repeated within its turn, mostly with a warm cache."""


class Timing(NamedTuple):
    """The median with its quartiles, in seconds; or those of a ratio."""

    low: float
    median: float
    high: float


def timed(
    contenders: Contenders,
    *,
    seconds: float = 1.0,
    rounds: int = 7,
    clock: Clock = time.perf_counter,
    synchronise: Call | None = None,
) -> dict[str, list[float]]:
    """Return the seconds of a call of each contender, one number for each round.

    In every round each contender has one turn, in an order drawn anew, so that what one leaves
    behind in caches and allocators meets the others alike.

    Args:
        contenders: what is timed, by name.
        seconds: the rounds go on for as long.
        rounds: and there are at least so many.
        clock: what tells the time, in seconds.
        synchronise: waits until the device has done what was asked of it.
    """
    wait = synchronise or _nothing
    repeats = {name: _repeats(call, clock, wait) for name, call in contenders.items()}
    times: dict[str, list[float]] = {name: [] for name in contenders}
    order, generator = list(contenders), random.Random(0)
    end = time.perf_counter() + seconds
    done = 0
    while done < rounds or time.perf_counter() < end:
        generator.shuffle(order)
        for name in order:
            times[name].append(_turn(contenders[name], repeats[name], clock, wait))
        done += 1
    return times


def quartiles(values: Sequence[float]) -> Timing:
    """Return the median and its quartiles."""
    if len(values) == 1:
        return Timing(values[0], values[0], values[0])
    return Timing(*statistics.quantiles(values, n=4, method="inclusive"))


def _repeats(call: Call, clock: Clock, wait: Call) -> int:
    for _ in range(2):
        call()  # a compiler may compile again for the second
    once = _turn(call, 1, clock, wait)
    if once < SHORT:
        once = _turn(call, max(1, min(20, round(SHORT / max(once, 1e-9)))), clock, wait)
    return max(1, round(SHORT / max(once, 1e-9)))


def _turn(call: Call, repeats: int, clock: Clock, wait: Call) -> float:
    wait()
    begin = clock()
    for _ in range(repeats):
        call()
    wait()
    return (clock() - begin) / repeats


def _nothing() -> None:
    """Return at once, for calls that are synchronous."""
