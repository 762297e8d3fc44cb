"""Runs with a known outcome, and what was warned of in each.

`python -m benchmarks.controllers.run_outcomes` trains all (about 3 minutes), keeps the results in
benchmarks/results/outcomes.json and prints a table of outcomes and warnings. The longer runs that
confirm the outcomes (about 6 minutes) are kept too, and not repeated. `--traces FOLDER` saves what
every step showed; a name or a part of one selects scenarios. `--seed N` trains them with other
seeds, on which nothing was tuned. The tables are written into
docs/benchmarks/controllers-tables.md.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from benchmarks.controllers.outcome_training import Trace, train
from benchmarks.controllers.outcomes import SCENARIOS, Outcome, Scenario
from benchmarks.controllers.tables import table

# what is kept is written as recipes write it
from regularizers.recipes._run_folder import RunFolder

PHRASES = {
    "upper end": "at most",
    "next to nothing": "at least",
    "at this rate": "still far",
    "swings about": "swings",
    "no gradient of both": "unseen",
    "NaN or infinite": "not finite",
    "orders of magnitude": "drifts",
}
"""The kind of a warning by a phrase of its text; the last that occurs in it counts."""

RIGHT: dict[Outcome, set[str]] = {
    Outcome.MET: set(),
    Outcome.MET_LATER: {"still far"},
    Outcome.SLOWING: set(),
    Outcome.TOO_HIGH: {"at most"},
    Outcome.TOO_LOW: {"at least"},
    Outcome.SWINGS: {"swings"},
    Outcome.SWINGS_UNTIL_ANNEALED: set(),
    Outcome.NO_GRADIENT: {"unseen"},
    Outcome.NOT_FINITE: {"not finite"},
    Outcome.FREE_SCALE: {"drifts"},
    Outcome.STOPS_SHORT: set(),
}
"""The kinds that must be said."""

ALLOWED: dict[Outcome, set[str]] = {
    Outcome.SLOWING: {"still far"},
    Outcome.SWINGS_UNTIL_ANNEALED: {"swings"},
    Outcome.STOPS_SHORT: {"still far"},
}
"""The kinds that may be said besides: no step shows that the rate will fall, or how far it goes."""

CONFIRMED = (
    Outcome.MET_LATER,
    Outcome.SLOWING,
    Outcome.TOO_HIGH,
    Outcome.TOO_LOW,
    Outcome.STOPS_SHORT,
)
"""The outcomes that another run confirms: a longer one, or one with a larger strength."""

Result = dict[str, Any]


def kind(text: str) -> str:
    """Return the kind of a warning."""
    found = [kind for phrase, kind in PHRASES.items() if phrase in text]
    return found[-1] if found else "other"


def is_right(outcome: Outcome, kinds: set[str]) -> bool:
    """Return whether what was said is what should be."""
    right = RIGHT[outcome]
    return right <= kinds <= right | ALLOWED.get(outcome, set())


def is_true(outcome: Outcome, steps: int, short: Result, long: Result | None) -> bool:
    """Return whether the runs show the outcome, whatever was warned of."""
    end, (size, together) = short["end"], short["swing"]
    match outcome:
        case Outcome.MET | Outcome.SWINGS_UNTIL_ANNEALED:
            return abs(end - 1) <= 0.05 and not (size > 0.05 and together < -0.5)
        case Outcome.MET_LATER | Outcome.SLOWING:
            assert long is not None
            far, late = abs(end - 1) > 0.1, (long["reached_at"] or 0) >= 1.5 * steps
            met = far and late and abs(long["end"] - 1) <= 0.05
            return met and _slows_down(steps, long) == (outcome is Outcome.SLOWING)
        case Outcome.TOO_HIGH:
            assert long is not None
            return min(end, long["end"]) > 1.1
        case Outcome.TOO_LOW:
            assert long is not None
            return max(end, long["end"]) < 0.9
        case Outcome.SWINGS:
            return abs(end - 1) <= 0.05 and size > 0.05 and together < -0.5
        case Outcome.FREE_SCALE:
            return abs(end - 1) <= 0.05 and short["fall"] < 0.01
        case Outcome.STOPS_SHORT:
            assert long is not None
            return long["end"] < 1
        case Outcome.NO_GRADIENT | Outcome.NOT_FINITE:
            return True


def _slows_down(steps: int, long: Result) -> bool:
    """Return whether the target took over 3 times the steps foretold where the short run ends."""
    foretold: float | None = long["foretold"]
    return foretold is None or long["reached_at"] - steps > 3 * foretold


def result_of(trace: Trace) -> Result:
    """Return what is kept of a run."""
    return {
        "end": trace.end,
        "met_at": trace.met_at,
        "reached_at": trace.reached_at,
        "swing": trace.swing,
        "fall": trace.fall,
        "steps": len(trace.measured),
        "warned": [[step, kind(text), text] for step, text in trace.warned],
    }


def save(trace: Trace, scenario: Scenario, file: Path) -> None:
    """Save what every step showed, as tensors."""
    law = {
        name: torch.tensor([state[name] for state in trace.law], dtype=torch.float64)
        for name in (trace.law[0] if trace.law else ())
    }
    torch.save(
        {
            "name": scenario.name,
            "outcome": scenario.outcome.value,
            "steps": scenario.steps,
            "wanted": trace.wanted,
            "measured": torch.tensor(trace.measured, dtype=torch.float64),
            "strength": torch.tensor(trace.strength, dtype=torch.float64),
            "loss": torch.tensor(trace.loss),
            "alive": torch.tensor(trace.alive),
            "law": law,
            "warned": trace.warned,
        },
        file,
    )


def confusion(
    results: dict[str, Result], longer: dict[str, Result], scenarios: Sequence[Scenario]
) -> str:
    """Return the table of outcomes and kinds of warnings; a run may be in several columns.

    Runs that do not end as known, by themselves or their confirming run, are left out.
    """
    kinds = [*PHRASES.values(), "other"]
    rows = []
    for outcome in Outcome:
        names = [
            s.name
            for s in scenarios
            if s.outcome is outcome
            and s.name in results
            and is_true(outcome, s.steps, results[s.name], longer.get(s.settings))
        ]
        said = [kinds_of(results[name]) for name in names]
        if names:
            counts = [sum([not k for k in said]), *[sum([of in k for k in said]) for of in kinds]]
            right = sum([is_right(outcome, k) for k in said])
            rows.append(
                [outcome.value, str(len(names)), *[str(c or "") for c in counts], str(right)]
            )
    return table(f"outcome | runs | nothing | {' | '.join(kinds)} | right", rows)


def write(text: str, marks: str) -> None:
    """Write a table between its marks in docs/benchmarks/controllers-tables.md."""
    page, begin, end = (
        Path("docs/benchmarks/controllers-tables.md"),
        f"<!-- {marks} -->",
        f"<!-- /{marks} -->",
    )
    before, _, rest = page.read_text().partition(begin)
    page.write_text(f"{before}{begin}\n{text}\n{end}{rest.partition(end)[2]}")


def evidence(
    results: dict[str, Result],
    longer: dict[str, Result],
    scenarios: Sequence[Scenario],
    *,
    all_runs: bool,
) -> str:
    """Return a table of the runs that were wrongly warned of or did not end as known; or of all."""
    rows = []
    for s in scenarios:
        if (short := results.get(s.name)) is None:
            continue
        long = longer.get(s.settings)
        true = is_true(s.outcome, s.steps, short, long)
        right = is_right(s.outcome, kinds_of(short))
        if right and true and not all_runs:
            continue
        at = "" if long is None else f"{long['end']:.2f} after {long['steps']}, {_met_at(long)}"
        if long is not None and long.get("foretold") is not None:
            at += f", foretold at {s.steps + long['foretold']:.0f}"
        warned = ", ".join([f"{kind} ({step})" for step, kind, _ in short["warned"]])
        rows.append(
            [
                s.name,
                s.outcome.value if true else f"NOT {s.outcome.value}",
                f"{short['end']:.2f} after {short['steps']}, {_met_at(short)}",
                at,
                f"{short['swing'][0]:.3f} / {short['swing'][1]:.2f}",
                f"{short['fall']:.2g}",
                warned or "nothing",
                "" if right else "wrong",
            ]
        )
    header = (
        "run | outcome | measured / target at the end | confirming run | swing: size / "
        "autocorrelation | strength at the end / when met | warned of (step) | "
    )
    return table(header, rows)


def _met_at(result: Result) -> str:
    if result["reached_at"] is None:
        return "not reached"
    met = "not met" if result["met_at"] is None else f"met from {result['met_at']}"
    return f"reached at {result['reached_at']}, {met}"


def kinds_of(result: Result) -> set[str]:
    """Return the kinds that were said in a run."""
    return {kind for _, kind, _ in result["warned"]}


def main(arguments: Sequence[str]) -> None:
    """Train what is missing, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("only", nargs="*", help="parts of the names of scenarios")
    parser.add_argument("--traces", type=Path, help="a folder for what every step showed")
    parser.add_argument("--kept", action="store_true", help="train nothing, print what is kept")
    parser.add_argument("--all", action="store_true", help="print every run, not only wrong ones")
    parser.add_argument("--seed", type=int, default=0, help="added to the seed of every run")
    given = parser.parse_args(arguments)
    chosen = [
        replace(s, seed=s.seed + given.seed)
        for s in SCENARIOS
        if not given.only or any(o in s.name for o in given.only)
    ]
    kept = Path(f"benchmarks/results/outcomes{given.seed or ''}.json")
    kept.parent.mkdir(exist_ok=True)
    folder = RunFolder(kept.parent)
    before = folder.read_json(kept.name)
    results: dict[str, Result] = {}
    longer: dict[str, Result] = before.get("longer", {})
    if given.traces is not None:
        given.traces.mkdir(parents=True, exist_ok=True)
    if given.kept:
        results = before.get("results", {})
    for number, scenario in enumerate([] if given.kept else chosen, start=1):
        print(f"\r{number} of {len(chosen)} {scenario.name:50s}", end="", file=sys.stderr)
        results[scenario.name] = _run(scenario, given.traces)
        if scenario.outcome in CONFIRMED and scenario.settings not in longer:
            longer[scenario.settings] = _confirm(scenario, given.traces)
        together = before.get("results", {}) | results
        folder.write_json(kept.name, {"results": together, "longer": longer})
    print(file=sys.stderr)
    outcomes = confusion(results, longer, chosen)
    print(outcomes)
    print(f"\n{evidence(results, longer, chosen, all_runs=given.all)}")
    if not given.only:
        write(outcomes, "outcomes" if given.seed == 0 else "outcomes of other seeds")


def _run(scenario: Scenario, traces: Path | None) -> Result:
    trace = train(scenario, with_law=traces is not None)
    if traces is not None:
        save(trace, scenario, _file(scenario, traces, ""))
    return result_of(trace)


def _confirm(scenario: Scenario, traces: Path | None) -> Result:
    """Return the result of the run that confirms the outcome."""
    if scenario.larger is not None:
        return result_of(train(scenario, constant=scenario.larger))
    trace = train(scenario, times=scenario.longer, with_law=traces is not None)
    if traces is not None:
        save(trace, scenario, _file(scenario, traces, "-longer"))
    later = scenario.outcome in (Outcome.MET_LATER, Outcome.SLOWING)
    return result_of(trace) | {"foretold": trace.foretold(scenario.steps) if later else None}


def _file(scenario: Scenario, traces: Path, which: str) -> Path:
    name = "".join([c if c.isalnum() else "-" for c in scenario.name])
    return traces / f"{scenario.outcome.name.lower()}-{name}{which}.pt"


if __name__ == "__main__":
    main(sys.argv[1:])
