"""Trains several networks in parallel, each in a process with one thread."""

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


def run_tasks(
    work: Callable[[Task], Result], tasks: Sequence[Task], jobs: int
) -> Iterator[tuple[Task, Result]]:
    """Run all tasks, `jobs` at a time; yield each with its result as it completes.

    For steps as small as here, two processes with one thread are faster than one process with two.
    A single job or task runs in this process.

    Args:
        work: a function that other processes can import.
        tasks: its arguments.
        jobs: the number of processes.

    Raises:
        ConfigurationError: the system ended a process.
        KeyboardInterrupt: the user interrupted it; the processes are killed.
    """
    if min(jobs, len(tasks)) <= 1:
        for task in tasks:
            yield task, work(task)
        return
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(min(jobs, len(tasks)), context, initializer=_start_worker)
    try:
        running = {pool.submit(work, task): task for task in tasks}
        for future in as_completed(running):
            yield running[future], future.result()
    except BrokenProcessPool:
        raise ConfigurationError(
            f"jobs: expected memory for {jobs} processes, but the system ended one, most often for "
            f"lack of memory; continue with --resume, or begin with --jobs 1"
        ) from None
    except BaseException:
        for process in multiprocessing.active_children():
            # not terminate(): Lightning treats SIGTERM as a request to stop later
            process.kill()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _start_worker() -> None:
    """Ignore Ctrl-C, which the parent handles, and exit with the parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def exit_with_parent() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=exit_with_parent, daemon=True).start()
