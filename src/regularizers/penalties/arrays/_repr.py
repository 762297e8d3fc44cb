"""The text of a value: the call that makes it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any


def call_of(value: Any) -> str:
    """Return the call that makes `value`, a dataclass, less what is left at its default."""
    return f"{type(value).__name__}({', '.join(_arguments(value))})"


def _arguments(value: Any) -> Iterator[str]:
    fields = [f for f in dataclasses.fields(value) if getattr(value, f.name) != f.default]
    for f in fields:
        if not f.kw_only:
            yield repr(getattr(value, f.name))
    for f in fields:
        if f.kw_only:
            yield f"{f.name}={getattr(value, f.name)!r}"
