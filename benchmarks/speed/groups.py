"""The groups of cases, in the order in which they run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from benchmarks.speed import control, growth, huge_pages, in_place, sites, steps, values, weights
from benchmarks.speed.cases import Case
from benchmarks.speed.settings import Settings


class Group(NamedTuple):
    """A group of cases; with the environment variables its process must start with."""

    cases: Callable[[Settings], Iterator[Case]]
    environment: Mapping[str, str] = {}


GROUPS: dict[str, Group] = {
    values.GROUP: Group(values.cases),
    huge_pages.GROUP: Group(huge_pages.cases, huge_pages.ENVIRONMENT),
    in_place.GROUP: Group(in_place.cases),
    weights.GROUP: Group(weights.cases),
    sites.GROUP: Group(sites.cases),
    growth.GROUP: Group(growth.cases),
    control.GROUP: Group(control.cases),
    "steps": Group(steps.cases),  # last, since it changes how this process frees memory
}


def groups_of(device: str) -> list[str]:
    """Return the groups of a device; huge pages exist on the CPU only."""
    return [name for name in GROUPS if device == "cpu" or name != huge_pages.GROUP]
