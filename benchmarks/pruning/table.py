"""The table of what became of all networks."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

from benchmarks.pruning.training import Outcome

HEADER = (
    "network | s | units of hidden layers | left | parameters | left | forward, times as fast | "
    "largest difference of outputs | accuracy %: no penalty | group lasso | fine-tuned | compacted"
)


def table(outcomes: Mapping[tuple[str, float], Sequence[Outcome]]) -> str:
    """Return a row for each kind of network and strength, with means over its seeds."""
    columns = HEADER.split(" | ")
    rows = [[kind, f"{s:g}", *_cells(found)] for (kind, s), found in outcomes.items()]
    return "\n".join(
        ["| " + " | ".join(row) + " |" for row in [columns, ["---"] * len(columns), *rows]]
    )


def _cells(found: Sequence[Outcome]) -> list[str]:
    (before,) = {one.parameters for one in found}
    left = statistics.fmean([one.left for one in found])
    kept = [statistics.fmean(layer) for layer in zip(*[one.kept for one in found], strict=True)]
    return [
        ", ".join(map(str, found[0].units)),
        ", ".join(f"{mean:.0f}" for mean in kept),
        f"{before:,}",
        f"{left:,.0f} ({left / before:.0%})",
        f"{statistics.fmean([one.faster for one in found]):.1f}",
        f"{max(one.difference for one in found):.0e}",
        *[
            f"{100 * statistics.fmean([getattr(one, name) for one in found]):.1f}"
            for name in ("dense", "trained", "fine_tuned", "compacted")
        ],
    ]
