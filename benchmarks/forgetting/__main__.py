"""What a network forgets of a first task while it learns a second one.

Trains small classifiers on two tasks in sequence, the second with nothing, L2, L2-SP or elastic
weight consolidation, and writes the table and the picture of docs/benchmarks/forgetting.md. Run by
`make forgetting`; it takes about two minutes on one core.
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.forgetting.picture import draw
from benchmarks.forgetting.plan import measured
from benchmarks.forgetting.tables import best, whole

BEGIN, END = "<!-- measured -->", "<!-- /measured -->"
PAGE = Path("docs/benchmarks/forgetting.md")


def main() -> None:
    """Train all networks and write the tables into the page."""
    results = measured()
    text = f"{best(results)}\n\nEvery strength:\n\n{whole(results)}"
    print(text)
    before, _, rest = PAGE.read_text().partition(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}\n{text}\n{END}{rest.partition(END)[2]}")
    draw(results, PAGE.with_suffix(".png"))


if __name__ == "__main__":
    main()
