"""Results of a function ahead of their use, in order, by threads."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def ahead(function: Callable[[int], T], numbers: range, workers: int) -> Generator[T]:
    """Yield the function of each number; with workers, two for each are made ahead."""
    if workers == 0:
        yield from map(function, numbers)
        return
    pool = ThreadPoolExecutor(workers, thread_name_prefix="activations")
    waiting: deque[Future[T]] = deque()
    try:
        for number in numbers:
            waiting.append(pool.submit(function, number))
            if len(waiting) > 2 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
