"""Times a case in several processes, whose memory lies differently.

Where arrays lie decides how well they fit the caches, and is the same as long as a process runs.
Costs that are a few percent apart are shown only by the median over several processes.
"""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor

from benchmarks.speed.cases import Case, Times, times_of
from benchmarks.speed.groups import GROUPS
from benchmarks.speed.settings import Settings


def times_in_processes(case: Case, settings: Settings) -> Times:
    """Return the times of a case, of as many processes as it asks for, one after the other."""
    if case.processes == 1:
        return times_of(case, settings)
    times: Times = {}
    for _ in range(case.processes):
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
            found = process.submit(_times, case.group, case.what, settings).result()
        for name, rounds in found.items():
            times.setdefault(name, []).extend(rounds)
    return times


def _times(group: str, what: str, settings: Settings) -> Times:
    settings.prepare()
    for case in GROUPS[group].cases(settings):
        if case.what == what:
            return times_of(case, settings)
    raise LookupError(f"{group} has no case {what!r}")
