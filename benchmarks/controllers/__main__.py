"""Targets of active units against constant strengths: their results and their cost.

Trains sparse autoencoders on digits and on a file of MNIST pictures, and writes the tables into
docs/controllers.md. Run by `make controllers MNIST=FILE`; what was trained before is not repeated.
"""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.controllers.plan import measured, runs
from benchmarks.controllers.tables import constant_rate, reached, untouched

BEGIN, END = "<!-- measured -->", "<!-- /measured -->"


def main(mnist: str) -> None:
    """Run the missing trainings and write the tables into the page."""
    data = ["digits", str(Path(mnist).resolve())]
    kept = Path("benchmarks/results")
    kept.mkdir(exist_ok=True)
    results = measured(runs(data), kept / "controllers.json")
    text = "\n\n".join(
        [reached(results, data), untouched(results, data), constant_rate(results, data)]
    )
    print(text)
    page = Path("docs/controllers.md")
    before, _, rest = page.read_text().partition(BEGIN)
    page.write_text(f"{before}{BEGIN}\n{text}\n{END}{rest.partition(END)[2]}")


if __name__ == "__main__":
    main(sys.argv[1])
