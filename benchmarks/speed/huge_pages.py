"""The value with its gradient once more, where PyTorch may ask for huge pages.

Most of a fresh gradient is page faults: the kernel hands it out 4 kB at a time, and 2 MB at a time
if it is asked to. PyTorch reads whether to ask when it is first needed, hence a process of its own.
"""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.speed.arrays import LARGE, Kind
from benchmarks.speed.cases import Case
from benchmarks.speed.formulas import formulas
from benchmarks.speed.settings import Settings
from benchmarks.speed.values import gradient_case

GROUP = "huge-pages"
ENVIRONMENT = {"THP_MEM_ALLOC_ENABLE": "1"}


def cases(settings: Settings) -> Iterator[Case]:
    """Yield the value with its gradient of each penalty, without other libraries."""
    kind = Kind(10 if settings.quick else LARGE)
    for formula in formulas():
        yield gradient_case(formula._replace(others={}), kind, settings, group=GROUP)
