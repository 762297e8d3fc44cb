"""Which penalty, where, how strong: validation scores over strengths.

Trains small networks on three classifications and a text, with each penalty at several strengths,
and writes the tables of docs/benchmarks/choosing-tables.md and the pictures of choosing.md beside
it. Run by `make choosing MNIST=FILE`, with the pictures of the 10,000 test images of MNIST, whose
labels stand beside them. It takes about ten minutes on one core; each training is kept once it is
done, and what was trained is not repeated.
Names of sweeps after the file, "weight decay", print the tables of these alone.
"""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.choosing.picture import draw
from benchmarks.choosing.plan import ALL, measured, runs
from benchmarks.choosing.tables import written

BEGIN, END = "<!-- measured -->", "<!-- /measured -->"
KEPT = Path("benchmarks/results/choosing.jsonl")
PAGE = Path("docs/benchmarks/choosing-tables.md")


def main(mnist: str, *names: str) -> None:
    """Run the missing trainings, write the tables into the page, and draw the pictures.

    Args:
        mnist: the file of pictures.
        names: the sweeps, whose tables are printed and nothing else is written; all by default.
    """
    results = measured(runs(names=names or ALL), KEPT, Path(mnist))
    text = written(results, names or ALL)
    print(text)
    if names:
        return
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}\n{text}\n{END}{rest.partition(END)[2]}", encoding="utf-8")
    draw(results, PAGE.parent)


if __name__ == "__main__":
    main(*sys.argv[1:])
