"""Classifiers that are trained to zeros in groups and compacted: parameters, time and accuracy.

Trains on the digits of scikit-learn, on one thread, and writes the table into
docs/benchmarks/pruning.md. Run by `make pruning`; takes about two minutes.
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.pruning.table import table
from benchmarks.pruning.training import STRENGTHS, outcome

SEEDS = range(3)
PAGE = Path("docs/benchmarks/pruning.md")
BEGIN, END = "<!-- measured -->", "<!-- /measured -->"


def main() -> None:
    """Train all networks and write the table into the page."""
    outcomes = {
        (kind, strength): [outcome(kind, strength, seed) for seed in SEEDS]
        for kind, strengths in STRENGTHS.items()
        for strength in strengths
    }
    text = table(outcomes)
    print(text)
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    PAGE.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
