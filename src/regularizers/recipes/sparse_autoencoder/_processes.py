"""Several devices: each has a process of its own, which runs the same command."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager


@contextmanager
def started_again_as(arguments: Sequence[str], devices: int) -> Iterator[None]:
    """Let the further processes of a training run another command line than this one.

    Lightning starts them with the arguments of this process. With those each would make a run
    folder of its own; they are to join this run.

    Args:
        arguments: what follows the program.
        devices: how many processes there are.
    """
    before = sys.argv
    if devices > 1:
        sys.argv = [before[0], *arguments]
    try:
        yield
    finally:
        sys.argv = before
