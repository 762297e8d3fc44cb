"""Counts the calls inside a package while something runs."""

from __future__ import annotations

import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from types import FrameType
from typing import NamedTuple


class Called(NamedTuple):
    """One call: its file, relative to the package, its function, and its depth."""

    room: str
    function: str
    depth: int


class Count(NamedTuple):
    """The number of calls inside the package, of their files, and of changes of file."""

    calls: int
    rooms: int
    changes: int


def calls_of(run: Callable[[], object], package: Path) -> list[Called]:
    """Return the calls of functions defined in a package while `run` runs in this thread.

    Each call of a Python function whose source lies in the folder counts: methods and lambdas, a
    generator each time it goes on, and comprehensions in Python 3.11, which makes functions of
    them. What PyTorch does in between does not.
    """
    called: list[Called] = []

    def note(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and (room := _room(frame, package)):
            called.append(Called(room, frame.f_code.co_qualname, _depth(frame, package)))

    sys.setprofile(note)
    try:
        run()
    finally:
        sys.setprofile(None)
    return called


def count(called: list[Called]) -> Count:
    """Return the counts; a change of file is a call in another file than the call before."""
    rooms = [call.room for call in called]
    changes = sum(here != there for here, there in pairwise(rooms))
    return Count(len(rooms), len(set(rooms)), changes)


def _room(frame: FrameType, package: Path) -> str:
    name = frame.f_code.co_filename
    return name.removeprefix(f"{package}/") if name.startswith(f"{package}/") else ""


def _depth(frame: FrameType, package: Path) -> int:
    depth, above = 0, frame.f_back
    while above is not None:
        depth += bool(_room(above, package))
        above = above.f_back
    return depth
