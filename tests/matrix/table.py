"""Measures every cell of the matrix, the hand-written hook beside the library; writes the pages."""

import argparse
import multiprocessing
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

from distributed.measure import rows as of_two_processes
from matrix.judge import judge
from matrix.kept import Kept, Row, fingerprint
from matrix.methods import OURS
from matrix.page import METHODS, counted, summary, tables
from matrix.regimes import REGIMES
from matrix.selection import cases_of, concerns

_FOLDER = Path(__file__).parents[2] / "docs" / "benchmarks"


def measure(name: str, *, brief: bool = False) -> Row:
    """Run every cell of the regime `name`; with a compiler in it, briefly a few."""
    regime = next(regime for regime in REGIMES if regime.name == name)
    return Row(
        name,
        {
            method.name: [
                # the error itself may not be sent between processes
                judge(regime, method, case)._replace(error=None)
                for case in cases_of(regime, full=True, brief=brief)
            ]
            for method in METHODS
            if concerns(regime, method)
        },
    )


def main() -> None:
    """Measure the matrix and write its pages; what an interrupted run measured is kept."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--folder", type=Path, default=_FOLDER, help="where the pages are")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--brief", action="store_true", help="fewer penalties with a compiler")
    options = parser.parse_args()
    kept = Kept(Path(tempfile.gettempdir()) / f"regimes-{fingerprint()}.jsonl")
    rows = kept.rows()
    names = [regime.name for regime in REGIMES if regime.name not in rows]
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(options.processes, mp_context=spawn) as pool:
        for row in pool.map(partial(measure, brief=options.brief), names):
            rows[row.name] = row
            kept.add(row)
            ours = [o for m in OURS for o in row.outcomes.get(m.name, [])]
            sys.stderr.write(f"{len(rows)}/{len(REGIMES)} {row.name}: {counted(ours)}\n")
    processes = of_two_processes()
    pages = {
        "correctness.md": summary(rows, processes),
        "regimes-tables.md": tables(rows, processes, brief=options.brief),
    }
    for name, text in pages.items():
        (options.folder / name).write_text(text)
        sys.stderr.write(f"wrote {options.folder / name}\n")
