"""The machine that the figures were measured on."""

from __future__ import annotations

import datetime
import os
import platform
from pathlib import Path

import torch
from benchmarks.speed.settings import Settings

_HUGE_PAGES = Path("/sys/kernel/mm/transparent_hugepage/enabled")
_PROCESSOR = Path("/proc/cpuinfo")

Machine = dict[str, str]


def describe(settings: Settings) -> Machine:
    """Return the machine, the versions and the day, in words."""
    machine = {
        "processor": f"{_processor()}, {os.cpu_count()} cores",
        "threads": str(settings.threads),
        "clock": settings.clock.__name__,
        "Python": platform.python_version(),
        "PyTorch": torch.__version__,
        "transparent huge pages": _huge_pages(),
        "date": datetime.date.today().isoformat(),
    }
    if settings.device == "cuda":
        machine["GPU"] = torch.cuda.get_device_name()
    return machine


def _processor() -> str:
    if _PROCESSOR.is_file():
        for line in _PROCESSOR.read_text().splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()


def _huge_pages() -> str:
    """Return the kernel's setting: the word in brackets."""
    if not _HUGE_PAGES.is_file():
        return "none"
    return _HUGE_PAGES.read_text().partition("[")[2].partition("]")[0]
