"""Cases that are timed together, and their results."""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

from benchmarks.speed.settings import Settings
from benchmarks.speed.timing import Contenders, Timing, quartiles, timed


class Case(NamedTuple):
    """Contenders of one kind, and the one that is the limit.

    Args:
        group: the module it belongs to.
        what: what is timed, in words; no two cases of a group have the same.
        limit: the contender that all ratios are against.
        contenders: makes them, when the case has its turn; what they hold is freed after it.
        figures: further numbers, such as the size of the array; read after the timing, so that
            making the contenders may put more into it.
        note: what a reader should know, printed below the case.
        longer: by how much longer it is timed than others, for bounds that are close.
        processes: how many processes share that time, for costs that are a few percent apart.
    """

    group: str
    what: str
    limit: str
    contenders: Callable[[], Contenders]
    figures: Mapping[str, float] = {}
    note: str = ""
    longer: float = 1.0
    processes: int = 1


class Row(NamedTuple):
    """The result of a case.

    `ratios` are to the limit within the same round, so that a slower minute of the machine is in
    both; their median is not quite the ratio of the medians.
    """

    group: str
    what: str
    limit: str
    times: dict[str, Timing]
    ratios: dict[str, Timing]
    figures: dict[str, float]
    note: str = ""

    def ratio(self, name: str, to: str | None = None) -> float:
        """Return the time of one contender over that of another, by default the limit."""
        return self.ratios[name].median / self.ratios[to or self.limit].median

    def as_json(self) -> dict[str, Any]:
        """Return the result as JSON values."""
        return self._asdict()

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Row:
        """Return the result from what `as_json` returned."""
        spread = {
            of: {name: Timing(*three) for name, three in kept[of].items()}
            for of in ("times", "ratios")
        }
        return cls(**{**kept, **spread})


Times: TypeAlias = dict[str, list[float]]
"""The seconds of a call of each contender, one number for each round."""


def times_of(case: Case, settings: Settings) -> Times:
    """Time the contenders of a case in this process, and free their memory."""
    contenders, rounds = case.contenders(), round(settings.rounds * case.longer)
    times = timed(
        contenders,
        seconds=settings.seconds * case.longer / case.processes,
        rounds=max(2, rounds) if case.processes == 1 else 2,
        clock=settings.clock,
        synchronise=settings.synchronise,
    )
    del contenders
    gc.collect()
    return times


def row_of(case: Case, times: Times) -> Row:
    """Return the result of a case from its times."""
    limit = times[case.limit]
    ratios = {
        name: quartiles([own / least for own, least in zip(of, limit, strict=True)])
        for name, of in times.items()
    }
    return Row(
        case.group,
        case.what,
        case.limit,
        {name: quartiles(of) for name, of in times.items()},
        ratios,
        dict(case.figures),
        case.note,
    )
