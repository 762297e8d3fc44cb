"""The pages of the matrix: a summary, and the tables with every row."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from matrix.judge import Outcome, Regime
from matrix.kept import Row
from matrix.methods import HOOKS, OURS, Method
from matrix.penalties import CASES, OF_KERNELS, OF_SIX_UNITS, TRIMMED
from matrix.regimes import GROUPS

METHODS: list[Method] = [*OURS, *HOOKS]

Processes = Sequence[Mapping[str, str]]
"""What two processes measured: a regime and a penalty each, with the outcome of both methods."""

_SEVERAL = "Several processes"

_KINDS = {
    "exact": "exact",
    "raises": "raise",
    "wrong": "silently wrong",
    "wrong loss": "wrong in the loss",
}
"""How kinds of outcomes are counted in words; a fault has its own."""

_SUMMARY = """\
# Correctness

This page shows in which ways of training the library's gradients are exact, where it raises
instead, and where a forward hook written by hand is silently wrong.

```sh
make matrix   # measures every cell and writes these pages
```

A cell is one penalty in one way of training. It is *exact* if every gradient, and the loss where
the penalty is a term of it, equals that of plain float64 autograd of `loss + penalty` in each of
several steps; in half precision, within the rounding of the type. It *raises* if an error comes
before a wrong gradient can be used. Otherwise it is *silently wrong*: in its gradients, or in the
loss alone.

The hand-written hook appends the plain formula of the output to a list, whose sum is added to the
loss. Its list is cleared before each forward, or when it has been summed: both are common.
"""

_RAISES = """\
## Where the library raises

Each error names the site and the cure; [what each error means](../concepts/errors.md) has them all.

| what raises | the cure |
|---|---|
| collect: an output changed in place after the site | `activity(..., copy=True)`, or inject |
| collect: a reentrant checkpoint | `use_reentrant=False`, or inject |
| collect: outside of the transform of `torch.func` that ran the forward | collect inside |
| inject: the scale of the loss is unknown | `reg.scale_from(loss)`, or `reg.set_scale()` |
| inject: two losses of one backward pass | `reg.scale_from` of their sum |
| rules that are attached after the first compiled call | attach first |
| kernels: `functional_call` has taken the weights back | model and penalty in one module |
| `attach(optimizer)`: a weight that is computed from others | leave the rule in the loss |
| a proximal step of a penalty that has none | use its gradient |
| `importance=` of a penalty that is no sum over elements | a sum, such as L1 or L2Squared |
| tensor parallelism: a penalty that does not add over units | a module sharded by rows |

[The tables](regimes-tables.md) have a row for each way of training, a column for each delivery, and
[what the errors say](regimes-tables.md#what-the-errors-say).
"""

_TABLES = """\
# Tables of correctness

This page has every row behind [the summary](correctness.md), which says what the words mean: for
each way of training, how many penalties are exact, raise, or are silently wrong.
{count} penalties, {compiled} where a compiler is in the row; `make matrix` measures them again.
"""

_TWO_PROCESSES = """\
Two processes of gloo share one batch; their averaged gradients are held against those of one
process. The hook adds the penalty of its own part to its own loss.
"""


def summary(rows: Mapping[str, Row], processes: Processes) -> str:
    """Return the page that counts cells by group."""
    return "\n".join([_SUMMARY, *_totals(rows.values()), *_by_group(rows, processes), _RAISES])


def tables(rows: Mapping[str, Row], processes: Processes, *, brief: bool = False) -> str:
    """Return the page with a row for each regime."""
    compiled = f"at least {len(TRIMMED)} of them" if brief else "one of each class"
    return "\n".join(
        [
            _TABLES.format(count=len(CASES + OF_KERNELS + OF_SIX_UNITS), compiled=compiled),
            *[line for group, regimes in GROUPS.items() for line in _group(group, regimes, rows)],
            *_several_processes(processes),
            "## What the errors say\n",
            *_messages(rows.values()),
            "",
        ]
    )


def counted(outcomes: Iterable[Outcome]) -> str:
    """Return counts in words, such as `12 exact, 3 raise`."""
    return _in_words(Counter(_KINDS.get(outcome.kind, outcome.kind) for outcome in outcomes))


def _in_words(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in counts.most_common())


def _outcomes(rows: Iterable[Row], methods: Iterable[Method]) -> list[Outcome]:
    names = dict.fromkeys(method.name for method in methods)
    return [o for row in rows for name in names for o in row.outcomes.get(name, [])]


def _totals(rows: Iterable[Row]) -> Iterator[str]:
    yield "| | cells | |"
    yield "|---|---|---|"
    for title, methods in [("the library", OURS), *[(hook.name, [hook]) for hook in HOOKS]]:
        found = _outcomes(rows, methods)
        yield f"| {title} | {len(found)} | {counted(found)} |"
    several = _SEVERAL.lower()
    yield f"\nThese are the ways in one process; {several} are counted in the last row below.\n"


def _by_group(rows: Mapping[str, Row], processes: Processes) -> Iterator[str]:
    yield "## By way of training\n"
    yield f"| | ways | the library | {' | '.join(hook.name for hook in HOOKS)} |"
    yield f"|---|---|---|{'---|' * len(HOOKS)}"
    for group, regimes in GROUPS.items():
        those = [rows[regime.name] for regime in regimes]
        cells = [counted(_outcomes(those, methods)) for methods in (OURS, *[[h] for h in HOOKS])]
        yield f"| {_linked(group)} | {len(those)} | {' | '.join(cells)} |"
    ways = len(dict.fromkeys(row["regime"] for row in processes))
    ours, hook = [_in_words(_of_processes(processes, who)) for who in ("ours", "hook")]
    yield f"| {_linked(_SEVERAL)} | {ways} | {ours} | {hook} | |"
    yield ""


def _linked(title: str) -> str:
    """Return a link to a section of the tables."""
    return f"[{title}](regimes-tables.md#{title.lower().replace(',', '').replace(' ', '-')})"


def _of_processes(processes: Processes, who: str) -> Counter[str]:
    kinds = [row[who] for row in processes if who in row]
    return Counter(_KINDS.get(kind, kind) for kind in kinds)


def _group(title: str, regimes: Iterable[Regime], rows: Mapping[str, Row]) -> Iterator[str]:
    methods = [m for m in METHODS if any(m.name in rows[r.name].outcomes for r in regimes)]
    yield f"## {title}\n"
    yield f"| | {' | '.join(method.name for method in methods)} |"
    yield f"|---|{'---|' * len(methods)}"
    for regime in regimes:
        outcomes = rows[regime.name].outcomes
        cells = [counted(outcomes[m.name]) if m.name in outcomes else "" for m in methods]
        yield f"| {regime.name} | {' | '.join(cells)} |"
    yield ""


def _several_processes(processes: Processes) -> Iterator[str]:
    yield f"## {_SEVERAL}\n"
    yield _TWO_PROCESSES
    yield "| | collect, process_group= | hook |"
    yield "|---|---|---|"
    for regime in dict.fromkeys(row["regime"] for row in processes):
        those = [row for row in processes if row["regime"] == regime]
        ours, hook = [_in_words(_of_processes(those, who)) for who in ("ours", "hook")]
        yield f"| {regime} | {ours} | {hook} |"
    yield ""


def _messages(rows: Iterable[Row]) -> Iterator[str]:
    """Yield one message of the library for each regime and method that raises."""
    names = {method.name for method in OURS}
    told: dict[str, list[str]] = {}
    for row in rows:
        for name, outcomes in row.outcomes.items():
            first = next((o.detail for o in outcomes if o.kind == "raises"), None)
            if name in names and first is not None:
                told.setdefault(first, []).append(f"{row.name} ({name})")
    for message, where in told.items():
        yield f"- {'; '.join(where)}:\n  `{message.splitlines()[0]}`"
