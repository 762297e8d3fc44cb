"""The peak memory of a call."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from itertools import accumulate
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile, record_function

# below this level the profiler logs its start and end on standard error
os.environ.setdefault("KINETO_LOG_LEVEL", "6")

WARM = 2
"""Warm-up calls: an optimizer creates its state, a compiler its programs."""


def peak_bytes(call: Callable[[], object], device: str = "cpu") -> int:
    """Return the peak bytes of live tensors in the last of a few calls.

    They are counted from the first call on, so what calls leave behind counts too, and what was
    there before does not. On the CPU it is exact if the calls free nothing that was there before;
    on CUDA, always.
    """
    return _on_cuda(call) if device == "cuda" else _on_cpu(call)


def peaks_over(
    limit: str, calls: Mapping[str, Callable[[], object]], elements: int, device: str
) -> dict[str, float]:
    """Return the extra peak bytes an element of each call, relative to one of them."""
    peaks = {name: peak_bytes(call, device) for name, call in calls.items()}
    return {
        f"peak bytes an element over {limit}: {name}": (peak - peaks[limit]) / elements
        for name, peak in peaks.items()
        if name != limit
    }


def _on_cpu(call: Callable[[], object]) -> int:
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True, acc_events=True) as seen:
        for _ in range(WARM + 1):
            with record_function("call"):
                call()
    results: Any = seen.profiler
    events = results.kineto_results.events()
    last = max(event.start_ns() for event in events if event.name() == "call")
    changes = [(e.start_ns(), e.nbytes()) for e in events if e.name() == "[memory]"]
    changes.sort(key=lambda change: change[0])
    begun = sum(change for when, change in changes if when < last)
    within = [change for when, change in changes if when >= last]
    return int(max(accumulate(within, initial=begun)))


def _on_cuda(call: Callable[[], object]) -> int:
    before = torch.cuda.memory_allocated()
    for _ in range(WARM):
        call()
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    call()
    torch.cuda.synchronize()
    return torch.cuda.max_memory_allocated() - before
