"""Counts the calls inside the library for one warm site; run by `make calls`.

A call is one of a Python function defined in the package, from the call of the model to the end of
the backward pass, of `step()` where there is one, or of the optimizer's step. Lambdas are
functions, and so are comprehensions in Python 3.11. A room is a file; the room changes where a call
is not in the file of the call before it. Warm means that the same step was made before.

--show NAME prints the calls of one step in order. With PYTHONPATH another state of the library is
counted by the same steps: PYTHONPATH=OTHER/src python -m benchmarks.calls.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch
from benchmarks.calls.cases import CASES
from benchmarks.calls.counting import Called, calls_of, count

import regularizers

PACKAGE = Path(regularizers.__file__).parent
WARM = 3


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table, or the calls of one step."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.calls",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--show", choices=list(CASES), metavar="NAME", help="one of the rows")
    show = parser.parse_args(arguments).show
    if show:
        for room, function, depth in warm_calls(show):
            print(f"{room:32s}  {'  ' * depth}{function}")
        return
    print(f"| one site, warm | {' | '.join(('calls', 'rooms', 'changes of room'))} |")
    print("|---|---:|---:|---:|")
    for name in CASES:
        calls, rooms, changes = count(warm_calls(name))
        print(f"| {name} | {calls} | {rooms} | {changes} |")


def warm_calls(name: str) -> list[Called]:
    """Return the calls of a step, after a few warm-up steps."""
    torch.manual_seed(0)
    step = CASES[name]()
    for _ in range(WARM):
        step()
    return calls_of(step, PACKAGE)


if __name__ == "__main__":
    main()
