"""The table of the comparison, with notes."""

from __future__ import annotations

from collections.abc import Sequence

from regularizers._text import table
from regularizers.recipes.superposition._figures import HELD_OUT
from regularizers.recipes.superposition._rows import Results, Row, best_rows, without_row
from regularizers.recipes.superposition._trainings import SAELENS

_OFF = 0.02
"""The part by which L0 may miss what was asked for before a note says so."""


def results_table(results: Results) -> str:
    """Return a table of the means over seeds of each trainer at its best rate, with notes."""
    rows = best_rows(results)
    surplus = any(row.mean("surplus") for row in rows)
    header = ["problem", "library", "trainer", "rate", "L0", "EV", "F1", "MCC", "dead"]
    header += ["surplus (dead)"] * surplus + ["CPU s"]
    cells = [header, *[_cells(row, surplus=surplus) for row in rows]]
    return "\n".join([table(cells, right=range(3, len(header))), *_notes(results, rows, surplus)])


def _cells(row: Row, *, surplus: bool) -> list[str]:
    cells = [row.problem, row.library, row.architecture, f"{row.learning_rate:g}"]
    cells += [f"{row.mean('l0'):.2f}{'*' * _is_off(row)}"]
    cells += [f"{row.mean(name):.3f}" for name in ("explained_variance", "f1", "mcc")]
    cells += [f"{row.mean('dead'):g}"]
    if surplus:
        cells += [f"{row.mean('surplus'):g} ({row.mean('surplus_dead'):g})"]
    return [*cells, f"{row.mean('seconds'):.0f}"]


def _notes(results: Results, rows: Sequence[Row], surplus: bool) -> list[str]:
    seeds = len({one.seed for one in results})
    notes = [
        (f"Means of {seeds} seeds, " if seeds > 1 else "One seed, ")
        + f"{HELD_OUT:,} fresh samples. EV: explained variance, 1 − Σ‖x − x̂‖² / Σ‖x − x̄‖².",
        "F1: of which latents fire. MCC: mean |cos| with the true directions. Dead: never active.",
    ]
    if surplus:
        notes.append(
            "Surplus: latents beyond the features, matched to none (of them dead on the samples "
            "of F1)."
        )
    rates = sorted({one.learning_rate for one in results if one.library == SAELENS})
    if len(rates) > 1:
        notes.append(
            f"{SAELENS}: each trainer at the best by EV of the rates "
            f"{', '.join(f'{rate:g}' for rate in rates)}."
        )
    tries = max((one.tries for row in rows for one in row.seeds), default=1)
    if tries > 1:
        notes.append(
            f"CPU seconds are of the training that is shown; to match L0, a coefficient was "
            f"searched in up to {tries}."
        )
    if any(_is_off(row) for row in rows):
        notes.append(f"* L0 is more than {_OFF:.0%} from what was asked for.")
    if lost := without_row(results):
        notes.append(f"Weights were not finite at any rate: {', '.join(lost)}.")
    return notes


def _is_off(row: Row) -> bool:
    return abs(row.mean("l0") / row.active - 1) > _OFF
