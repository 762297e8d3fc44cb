"""Keeps freed memory in the process, since the next step needs it again."""

from __future__ import annotations

import ctypes

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of malloc.h
_NEVER = 2**30


def keep_freed_memory() -> bool:
    """Let the C library keep freed memory; return whether it supports that.

    Otherwise it gives memory back, and the next step takes it again, thousands of page faults for
    a step that may fall on any contender. Other allocators keep it of themselves.
    """
    try:
        tell = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return False
    return bool(tell(_M_TRIM_THRESHOLD, _NEVER) and tell(_M_MMAP_THRESHOLD, _NEVER))
