"""Targets against constant strengths: their results and their cost.

Trains sparse autoencoders and classifiers on digits and on a file of MNIST pictures, whose labels
stand beside it under MNIST's own name, and writes the tables into
docs/benchmarks/controllers-tables.md. Run by `make controllers MNIST=FILE`, of which `JOBS=1` takes
one process; what was trained before is not repeated.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from benchmarks.controllers.new_targets import annealed, inequalities, losses
from benchmarks.controllers.plan import measured, runs
from benchmarks.controllers.tables import constant_rate, reached, untouched
from benchmarks.controllers.zeros import zeros

TABLES = (reached, untouched, constant_rate, annealed, inequalities, zeros, losses)
BEGIN, END = "<!-- measured -->", "<!-- /measured -->"


def main(mnist: str) -> None:
    """Run the missing trainings and write the tables into the page."""
    data = ["digits", str(Path(mnist).resolve())]
    kept = Path("benchmarks/results")
    kept.mkdir(exist_ok=True)
    jobs = int(os.environ.get("JOBS", "2"))
    results = measured(runs(data), kept / "controllers.json", jobs)
    text = "\n\n".join([written(results, data) for written in TABLES])
    print(text)
    page = Path("docs/benchmarks/controllers-tables.md")
    before, _, rest = page.read_text().partition(BEGIN)
    page.write_text(f"{before}{BEGIN}\n{text}\n{END}{rest.partition(END)[2]}")


if __name__ == "__main__":
    main(sys.argv[1])
