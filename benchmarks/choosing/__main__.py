"""Which penalty, where, how strong: validation scores over strengths.

Trains small networks on three classifications and a text, with each penalty at several strengths,
and writes the tables and the pictures of docs/choosing.md. Run by `make choosing MNIST=FILE`, with
the pictures of the 10,000 test images of MNIST, whose labels stand beside them. It takes about ten
minutes on one core; each training is kept once it is done, and what was trained is not repeated.
"""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.choosing.picture import draw
from benchmarks.choosing.plan import measured, runs
from benchmarks.choosing.tables import written

BEGIN, END = "<!-- measured -->", "<!-- /measured -->"
KEPT = Path("benchmarks/results/choosing.jsonl")
PAGE = Path("docs/choosing.md")


def main(mnist: str) -> None:
    """Run the missing trainings, write the tables into the page, and draw the pictures."""
    results = measured(runs(), KEPT, Path(mnist))
    text = written(results)
    print(text)
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}\n{text}\n{END}{rest.partition(END)[2]}", encoding="utf-8")
    draw(results, PAGE.parent)


if __name__ == "__main__":
    main(sys.argv[1])
