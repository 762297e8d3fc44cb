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
    return legal(module or _ROOT)


def legal(key: str) -> str:
    """Return `key` as every logger takes it: in letters, digits, `_`, `-`, `.`, spaces and `/`.

    Anything else becomes `_`. So does a part between slashes that a path of files would not keep:
    an empty one, `.` and `..`. These are the names that MLflow takes, the strictest.

    Example:
        >>> legal("encoder.act/activity/L1"), legal("λ 1/x[0](y)"), legal("/a//b")
        ('encoder.act/activity/L1', 'λ 1/x_0__y_', '_/a/_/b')
    """
    parts = re.sub(r"[^\w\-./ ]", "_", key).split("/")
    return "/".join(["_" if part in ("", ".", "..") else part for part in parts])


class Keys:
    """Makes every key legal, and one of a kind: the second that would be alike ends in `/2`.

    Example:
        >>> keys = Keys()
        >>> keys.add("act/activity/L1"), keys.add("act/activity/L1")
        ('act/activity/L1', 'act/activity/L1/2')
    """

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def add(self, key: str) -> str:
        """Return `key` in legal letters, numbered if there is one alike."""
        key = legal(key)
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
    if all(key == legal(key) for key in keys):  # `(root)` and `#2` are not
        return {key: key for key in keys}
    today = Keys()
    return {
        key: today.add(re.sub(r"#\d+$", "", re.sub(r"^\(root\)/", f"{_ROOT}/", key)))
        for key in keys
    }
