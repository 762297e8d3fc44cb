"""The matrix as a table: every cell measured, the hand-written hook beside the library."""

import argparse
import multiprocessing
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

from matrix.judge import Outcome, judge
from matrix.kept import Kept, Row, fingerprint
from matrix.methods import HOOKS, OURS, Method
from matrix.penalties import CASES, OF_KERNELS, OF_SIX_UNITS, TRIMMED
from matrix.processes import several_processes
from matrix.regimes import GROUPS, REGIMES
from matrix.selection import cases_of, concerns

METHODS: list[Method] = [*OURS, *HOOKS]

_TARGET = Path(__file__).parents[2] / "docs" / "benchmarks" / "correctness.md"

_KINDS = {
    "exact": "exact",
    "raises": "raise",
    "wrong": "silently wrong",
    "wrong loss": "wrong in the loss",
}
"""How kinds of outcomes are counted in words; a fault has its own."""

_INTRODUCTION = """\
# Regimes

Every penalty in every way to train, measured. A cell is *exact* if every gradient, and the loss
where the penalty is a term of it, equals that of plain float64 autograd of `loss + penalty` in each
of several steps; in half precision, within the rounding of the type. It *raises* if an error comes
before a wrong gradient can be used. Otherwise it is *silently wrong*: in its gradients, or in the
loss alone.

The hand-written hook appends the plain formula of the output to a list, whose sum is added to the
loss. Its list is cleared before each forward, or when it has been summed: both are common.
{count} penalties, {compiled} where a compiler is in the row; `make matrix` measures them again.

"""


def measure(name: str, *, brief: bool = False) -> Row:
    """Run every cell of the regime `name`; with a compiler in it, briefly a few."""
    regime = next(regime for regime in REGIMES if regime.name == name)
    return Row(
        name,
        {
            method.name: [
                # the error itself may not be sent between processes
                judge(regime, method, case)._replace(error=None)
                for case in cases_of(regime, full=True, brief=brief)
            ]
            for method in METHODS
            if concerns(regime, method)
        },
    )


def counted(outcomes: list[Outcome]) -> str:
    """Return counts in words, such as `12 exact, 3 raise`."""
    counts = Counter(_KINDS.get(outcome.kind, outcome.kind) for outcome in outcomes)
    return ", ".join(f"{count} {kind}" for kind, count in counts.most_common())


def markdown(rows: dict[str, Row], *, brief: bool = False) -> str:
    """Return the page."""
    compiled = f"at least {len(TRIMMED)} of them" if brief else "one of each class"
    return "\n".join(
        [
            _INTRODUCTION.format(count=len(CASES + OF_KERNELS + OF_SIX_UNITS), compiled=compiled),
            *_totals(list(rows.values())),
            *[line for group, regimes in GROUPS.items() for line in _group(group, regimes, rows)],
            *several_processes(),
            "## What the errors say\n",
            *_messages(rows),
            "",
        ]
    )


def _totals(rows: list[Row]) -> Iterator[str]:
    yield "| | cells | |"
    yield "|---|---|---|"
    for title, methods in [("the library", OURS), *[(hook.name, [hook]) for hook in HOOKS]]:
        names = {method.name for method in methods}
        found = [o for row in rows for name in names for o in row.outcomes.get(name, [])]
        yield f"| {title} | {len(found)} | {counted(found)} |"
    yield ""


def _group(title: str, regimes: list, rows: dict[str, Row]) -> Iterator[str]:
    methods = [m for m in METHODS if any(m.name in rows[r.name].outcomes for r in regimes)]
    yield f"## {title}\n"
    yield f"| | {' | '.join(method.name for method in methods)} |"
    yield f"|---|{'---|' * len(methods)}"
    for regime in regimes:
        outcomes = rows[regime.name].outcomes
        cells = [counted(outcomes[m.name]) if m.name in outcomes else "" for m in methods]
        yield f"| {regime.name} | {' | '.join(cells)} |"
    yield ""


def _messages(rows: dict[str, Row]) -> Iterator[str]:
    """Yield one message of the library for each regime and method that raises."""
    names = {method.name for method in OURS}
    told: dict[str, list[str]] = {}
    for row in rows.values():
        for name, outcomes in row.outcomes.items():
            first = next((o.detail for o in outcomes if o.kind == "raises"), None)
            if name in names and first is not None:
                told.setdefault(first, []).append(f"{row.name} ({name})")
    for message, where in told.items():
        yield f"- {'; '.join(where)}:\n  `{message.splitlines()[0]}`"


def main() -> None:
    """Measure the matrix and write the page; what an interrupted run measured is kept."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--output", type=Path, default=_TARGET)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--brief", action="store_true", help="fewer penalties with a compiler")
    options = parser.parse_args()
    kept = Kept(Path(tempfile.gettempdir()) / f"regimes-{fingerprint()}.jsonl")
    rows = kept.rows()
    names = [regime.name for regime in REGIMES if regime.name not in rows]
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(options.processes, mp_context=spawn) as pool:
        for row in pool.map(partial(measure, brief=options.brief), names):
            rows[row.name] = row
            kept.add(row)
            ours = [o for m in OURS for o in row.outcomes.get(m.name, [])]
            sys.stderr.write(f"{len(rows)}/{len(REGIMES)} {row.name}: {counted(ours)}\n")
    options.output.write_text(markdown(rows, brief=options.brief))
    sys.stderr.write(f"wrote {options.output}\n")
