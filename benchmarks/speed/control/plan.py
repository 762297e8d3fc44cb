"""The steps that are timed beside each other."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.speed.cases import Case
from benchmarks.speed.control.networks import Network, networks
from benchmarks.speed.control.step import BLOCK, Steps
from benchmarks.speed.control.ways import NO_PENALTY, ways_of
from benchmarks.speed.settings import Settings
from benchmarks.speed.timing import Contenders

GROUP = "control"


def cases(settings: Settings) -> Iterator[Case]:
    """Yield ten steps of each network, in all ways.

    The C library gives freed memory back as it does for everybody, so that page faults are timed.
    """
    for network in networks(settings):
        yield _case(network, quick=settings.quick)


def _case(network: Network, *, quick: bool) -> Case:
    def contenders() -> Contenders:
        return {name: Steps(network, way) for name, way in ways_of(network).items()}

    return Case(
        GROUP,
        network.name,
        NO_PENALTY,
        contenders,
        {"steps": BLOCK},
        longer=1.0 if quick else 100.0,
        processes=1 if quick else 4,
    )
