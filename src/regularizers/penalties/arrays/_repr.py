"""The text of a value: the call that makes it."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Iterator
from typing import Any


def call_of(value: Any) -> str:
    """Return the call that makes `value`, a dataclass, less what is left at its default."""
    return f"{type(value).__name__}({', '.join(_arguments(value))})"


def _arguments(value: Any) -> Iterator[str]:
    fields = sorted(dataclasses.fields(value), key=lambda f: bool(f.kw_only))
    by_name = False
    for f in fields:
        setting = getattr(value, f.name)
        by_name = by_name or bool(f.kw_only)
        if setting == f.default:
            by_name = True  # what comes after one that is left out
        elif by_name:
            yield f"{f.name}={_shown(setting)}"
        else:
            yield _shown(setting)


def _shown(setting: Any) -> str:
    """Return the text of a setting; that of a function has no address."""
    return setting.__name__ if inspect.isroutine(setting) else repr(setting)
