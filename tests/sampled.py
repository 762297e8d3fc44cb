"""A sample of the cells that compile: on JAX each operation for each shape, and with a compiler."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

import pytest

EVERY = {"jax": 8, "compiled": 3, "compiled backward": 9}
"""Of the cells of a test that compile, this one and each so many after it."""


def left_out(items: Sequence[pytest.Item]) -> Iterator[pytest.Item]:
    """Yield the cells that compile and are not in the sample; at least one of each test is."""
    cells = defaultdict(list)
    for item in items:
        if kind := _kind(item):
            cells[kind, item.nodeid.partition("[")[0]].append(item)
    for (kind, _), of_one in cells.items():
        yield from [item for number, item in enumerate(of_one) if number % EVERY[kind]]


def _kind(item: pytest.Item) -> str | None:
    """Return what compiles in a cell, if anything does."""
    callspec = getattr(item, "callspec", None)
    if callspec is not None and "jax" in callspec.id.split("-"):
        return "jax"
    regime = None if callspec is None else callspec.params.get("regime")
    if not getattr(regime, "compiles", False):
        return None
    return "compiled backward" if "compiled autograd" in regime.name else "compiled"
