"""Whether this process is the one that the user started."""

from __future__ import annotations

import os


def is_first() -> bool:
    """Return whether this is the process that the user started, which alone writes and prints."""
    return int(os.environ.get("LOCAL_RANK", 0)) == int(os.environ.get("NODE_RANK", 0)) == 0
