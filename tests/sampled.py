"""A sample of the cells that take long: on JAX, with a compiler, or of a test that says so.

A cell covers the path it ran through. So of each test a sample has every regime, method and class
of penalty, and leaves out further penalties that go the same way. A test whose cells differ in
nothing but a seed, a network or the like says `@pytest.mark.sampled(every=2)`.
"""

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterator, Sequence
from typing import Any, NamedTuple

import pytest

from regularizers import Constraint, Penalty

EVERY = {"jax": 20, "compiled": 3, "compiled backward": 9}
"""Of the cells of one kind that go the same way, one in so many is in the sample."""


class Cells(NamedTuple):
    """Cells that go the same way, of which one in so many is in the sample."""

    every: int
    test: str
    way: tuple[Hashable, ...] = ()


def left_out(items: Sequence[pytest.Item]) -> Iterator[pytest.Item]:
    """Yield the cells that are not in the sample; at least one of each test is."""
    cells = defaultdict(list)
    for item in items:
        if of_one_way := _cells(item):
            cells[of_one_way].append(item)
    turns = Counter[tuple[str, int]]()
    for one_way, of_one_way in cells.items():
        every = min(one_way.every, len(of_one_way))
        # of one class the first cell, of the next the second, so that all settings have a turn
        turn = turns[one_way.test, one_way.every] % every
        turns[one_way.test, one_way.every] += 1
        yield from [item for number, item in enumerate(of_one_way) if number % every != turn]


def _cells(item: pytest.Item) -> Cells | None:
    """Return which cells an item is one of, if it takes long."""
    callspec = getattr(item, "callspec", None)
    if callspec is None:
        return None
    test, regime = item.nodeid.partition("[")[0], callspec.params.get("regime")
    if marker := item.get_closest_marker("sampled"):
        return Cells(marker.kwargs["every"], test)
    if "jax" in callspec.id.split("-") or "::test_jax_" in test:
        return Cells(EVERY["jax"], test, _classes(callspec.params))
    if getattr(regime, "compiles", False):
        kind = "compiled backward" if "compiled autograd" in regime.name else "compiled"
        return Cells(EVERY[kind], test, (kind,))
    return None


def _classes(parameters: dict[str, Any]) -> tuple[Hashable, ...]:
    """Return what decides about the way of a cell on JAX: the class of its penalty."""
    given = (parameters[name] for name in sorted(parameters))
    return tuple(type(value) for value in given if isinstance(value, Penalty | Constraint))
