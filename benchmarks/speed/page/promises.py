"""The promised speed beside the measured speed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from benchmarks.speed import growth, hooked, in_place, sites, weights
from benchmarks.speed.arrays import LARGE, Kind
from benchmarks.speed.cases import Row
from benchmarks.speed.kept import Results
from benchmarks.speed.page import growing
from benchmarks.speed.page.tables import PEAK
from benchmarks.speed.page.text import percent, table, three
from benchmarks.speed.values import gradient_name, value_name

Numbers = Mapping[str, float | None]


REPORTED = "reported"
WORDS = {True: "yes", False: "**no**", None: "not measured"}


class Promise(NamedTuple):
    """A bound on measured numbers; `met` is None if one was not measured."""

    line: int
    what: str
    bound: str
    measured: str
    met: bool | None

    def cells(self) -> list[str]:
        """Return the promise as a line of the table."""
        word = "" if self.bound == REPORTED and self.met else WORDS[self.met]
        return [str(self.line), self.what, self.bound, self.measured, word]


def promises(cpu: Results, cuda: Results) -> str:
    """Return the table of all promises."""
    every = [
        *_arrays(cpu),
        *_in_place(cpu),
        *_weights(cpu),
        *_sites(cpu),
        *_steps(cpu),
        *_growth(cpu),
        *_gpu(cuda),
    ]
    header = ["", "what", "promised", "measured", "met"]
    return table(header, [promise.cells() for promise in every])


def at_most(line: int, what: str, bound: float, numbers: Numbers, unit: str = "") -> Promise:
    """Return a promise that numbers, as printed, are no larger than the bound."""
    met = _all(numbers, lambda n: round(n, 2) <= bound)
    return Promise(line, what, f"at most {bound:g}{unit}", _listed(numbers, unit), met)


def at_least(line: int, what: str, bound: float, numbers: Numbers, unit: str = "") -> Promise:
    """Return a promise that numbers, as printed, are no smaller than the bound."""
    met = _all(numbers, lambda n: round(n, 2) >= bound)
    return Promise(line, what, f"at least {bound:g}{unit}", _listed(numbers, unit), met)


def reported(line: int, what: str, numbers: Numbers, unit: str = "") -> Promise:
    """Return a promise to print numbers, without a bound."""
    return Promise(line, what, REPORTED, _listed(numbers, unit), _all(numbers, lambda n: True))


def _all(numbers: Numbers, holds: Callable[[float], bool]) -> bool | None:
    """Return whether a condition holds for all numbers; None if one was not measured."""
    known = _known(numbers)
    return all(map(holds, known)) if known and len(known) == len(numbers) else None


def _known(numbers: Numbers) -> list[float]:
    return [number for number in numbers.values() if number is not None]


def _listed(numbers: Numbers, unit: str = "") -> str:
    return ", ".join(
        f"{name} {'?' if number is None else three(number) + unit}"
        for name, number in numbers.items()
    )


def _ratio(row: Row | None, name: str, to: str | None = None) -> float | None:
    if row is None or name not in row.ratios or (to or row.limit) not in row.ratios:
        return None
    return row.ratio(name, to)


def _arrays(cpu: Results) -> Iterator[Promise]:
    names, kind = ("L1", "L2Squared", "TAR"), Kind(LARGE)
    values = {name: cpu.find("values", value_name(name, kind)) for name in names}
    both = {name: cpu.find("values", gradient_name(name, kind)) for name in names}

    def over(rows: Mapping[str, Row | None], name: str, to: str | None = None) -> Numbers:
        return {penalty: _ratio(row, name, to) for penalty, row in rows.items()}

    size = f"2^{LARGE} float32"
    yield at_most(1, f"value of {size}, eager, over `x.sum()`", 3, over(values, "ours"))
    yield at_most(1, "value, compiled, over `x.sum()`", 1.7, over(values, "ours, compiled"))
    yield at_least(
        1, "value, by hand over ours, both eager", 3, over(values, "by hand", "ours"), " times"
    )
    yield at_least(
        1,
        "value and gradient, by hand over ours, both eager",
        2,
        over(both, "by hand", "ours"),
        " times",
    )
    yield at_least(
        1,
        "value and gradient, by hand in eager over ours compiled",
        3,
        over(both, "by hand", "ours, compiled"),
        " times",
    )
    for name in ("ours", "ours, compiled"):
        what = f"value and gradient, {name}, over 16 bytes an element"
        yield reported(1, what, over(both, name))


def _in_place(cpu: Results) -> Iterator[Promise]:
    for library in ("NumPy", "PyTorch"):
        yield at_most(
            2,
            f"into a gradient, {library}, 2^{LARGE}, over `g += x`",
            2.5,
            {
                penalty: _ratio(
                    cpu.find(in_place.GROUP, in_place.name_of(library, penalty, LARGE)), "ours"
                )
                for penalty in in_place.PENALTIES
            },
        )


def _weights(cpu: Results) -> Iterator[Promise]:
    rows = {size: cpu.find(weights.GROUP, f"gradient, {size}") for size in weights.SIDES}
    ours = {size: _ratio(row, "ours") for size, row in rows.items()}
    yield at_most(3, "300 tensors, over a bare `_foreach_add_`", 1.3, ours)
    faster = {size: _ratio(row, "sum in the loss", "ours") for size, row in rows.items()}
    yield at_least(3, "300 tensors, the sum in the loss over ours", 10, faster, " times")


def _of_layers(count: int) -> str:
    return "of one layer:" if count == 1 else f"of {count} layers:"


def _sites(cpu: Results) -> Iterator[Promise]:
    rows = {n: cpu.find(sites.GROUP, sites.name_of(n, sites.FORWARD)) for n in (1, sites.CHAIN)}

    def added(row: Row | None, kind: str) -> float | None:
        if row is None:
            return None
        each = row.times[row.limit].median / row.figures["sites"]
        return 1e6 * each * (row.ratio(kind) - 1)

    ours = {_of_layers(n): added(row, hooked.OURS) for n, row in rows.items()}
    yield at_most(4, "a site on a tiny layer, forward", 12, ours, " µs")
    yield at_most(
        4,
        "the same, over the hand-written hook",
        1,
        {_of_layers(n): _ratio(row, hooked.OURS, hooked.BY_HAND) for n, row in rows.items()},
    )
    both = {
        kind: added(cpu.find(sites.GROUP, sites.name_of(sites.CHAIN, sites.BOTH)), kind)
        for kind in (hooked.OURS, hooked.BY_HAND)
    }
    yield reported(4, f"a site of {sites.CHAIN}, forward and backward", both, " µs")


def _steps(cpu: Results) -> Iterator[Promise]:
    plain = _networks(cpu, "plain")
    for steps, networks in {
        "whole steps": plain,
        "whole steps, compiled": _networks(cpu, "compiled"),
    }.items():
        yield _over_without(f"{steps}, over those without", networks)
        slower = {name: _ratio(row, "ours", "by hand") for name, row in networks.items()}
        yield at_most(5, f"{steps}, over those with hand-written hooks", 1, slower)
    in_keras = next((row for row in cpu.of("steps") if "Keras" in row.what), None)
    mlp = {
        "ours": _ratio(plain.get("MLP"), "ours"),
        "Keras": _ratio(in_keras, "activity_regularizer"),
    }
    ours = mlp["ours"]
    ahead = _all(mlp, lambda ratio: ours is not None and ours <= ratio)
    yield Promise(5, "MLP, over its step without", "ours below Keras", _listed(mlp), ahead)
    peaks = {name: row.figures.get(PEAK + "ours") for name, row in plain.items() if name != "LSTM"}
    what = "peak memory over the step without, bytes for each element of an L1 site"
    yield at_most(5, what, 1, peaks)


def _networks(cpu: Results, variant: str) -> dict[str, Row]:
    """Return the steps of all networks in one way of training."""
    rows = [row for row in cpu.of("steps") if row.what.endswith(f", {variant}")]
    # a network's name begins with its kind: "MLP 24x512", "ResNet-26"
    return {re.split(r"[ -]", row.what)[0]: row for row in rows if "ours" in row.ratios}


def _over_without(what: str, networks: dict[str, Row]) -> Promise:
    two = {name: networks.get(name) for name in ("transformer", "ResNet")}
    spread = [f"{name} {percent(row.ratios['ours'])}" for name, row in two.items() if row]
    met = _all(
        {name: _ratio(row, "ours") for name, row in two.items()}, lambda ratio: ratio <= 1.02
    )
    return Promise(5, what, "at most +2%", ", ".join(spread), met)


def _growth(cpu: Results) -> Iterator[Promise]:
    slopes: dict[str, float | None] = {axis.name: None for axis in growth.AXES}
    if rows := cpu.of(growth.GROUP):
        slopes = {axis: growing.line(rows, axis, hooked.OURS).slope for axis in slopes}
    yield at_most(6, "slope of the cost on log scales, upper half", 1.1, slopes)


def _gpu(cuda: Results) -> Iterator[Promise]:
    kind = Kind(26)
    shares: dict[str, float | None] = {}
    for name in ("L1", "L2Squared", "TAR"):
        over = _ratio(cuda.find("values", value_name(name, kind)), "ours, compiled")
        shares[name] = None if over is None else 100 / over
    yield at_least(
        7, "GPU, 2^26, compiled: share of the bandwidth that `x.sum()` reaches", 80, shares, "%"
    )
