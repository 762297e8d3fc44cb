"""Several networks trained at a time, each by a process of its own on one thread."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from regularizers.errors import ConfigurationError

Task = TypeVar("Task")
Result = TypeVar("Result")


def done(
    work: Callable[[Task], Result], tasks: Sequence[Task], jobs: int
) -> Iterator[tuple[Task, Result]]:
    """Do all tasks, `jobs` at a time; yield each with its result when it is done.

    Two processes of one thread are faster than one of two, where a step is as small as here. With
    one job, or one task, all is done in this process.

    Args:
        work: a function that other processes can import.
        tasks: its arguments.
        jobs: processes.

    Raises:
        ConfigurationError: the system ended a process.
        KeyboardInterrupt: the user stopped it; the processes are ended at once.
    """
    if min(jobs, len(tasks)) <= 1:
        for task in tasks:
            yield task, work(task)
        return
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(min(jobs, len(tasks)), context, initializer=_begin)
    try:
        running = {pool.submit(work, task): task for task in tasks}
        for future in as_completed(running):
            yield running[future], future.result()
    except BrokenProcessPool:
        raise ConfigurationError(
            f"jobs: expected room for {jobs} processes, but the system ended one, most often for "
            f"want of memory; go on from what is done with --resume, or begin with --jobs 1"
        ) from None
    except BaseException:
        for process in multiprocessing.active_children():
            # not terminate: Lightning takes that signal for a wish, and the pool for one task's
            process.kill()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _begin() -> None:
    """Leave Ctrl-C to the parent, and do not outlive it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def follow() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()
