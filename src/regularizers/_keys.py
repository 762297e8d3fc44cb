"""Keys of numbers, in letters that every logger takes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

_ROOT = "model"


def key_of(module: str) -> str:
    """Return how keys call the module of this name; the root module has none of its own.

    Example:
        >>> key_of("encoder.act"), key_of("")
        ('encoder.act', 'model')
    """
    return module or _ROOT


class Keys:
    """Makes every key one of a kind: the second that would be alike ends in `/2`.

    Example:
        >>> keys = Keys()
        >>> keys.add("act/activity/L1"), keys.add("act/activity/L1")
        ('act/activity/L1', 'act/activity/L1/2')
    """

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def add(self, key: str) -> str:
        """Return `key`, numbered if there is one alike."""
        self._counts[key] += 1
        return key if self._counts[key] == 1 else f"{key}/{self._counts[key]}"


def renamed(keys: Iterable[str]) -> dict[str, str]:
    """Return today's keys by those of version 0.1, `(root)/activity/L1#2`; in the order given.

    Keys of today are their own.

    Example:
        >>> renamed(["(root)/activity/L1", "(root)/activity/L1#2"])
        {'(root)/activity/L1': 'model/activity/L1', '(root)/activity/L1#2': 'model/activity/L1/2'}
    """
    keys = list(keys)
    if not any(key.startswith("(root)/") or re.search(r"#\d+$", key) for key in keys):
        return {key: key for key in keys}
    today = Keys()
    return {
        key: today.add(re.sub(r"#\d+$", "", re.sub(r"^\(root\)/", f"{_ROOT}/", key)))
        for key in keys
    }
