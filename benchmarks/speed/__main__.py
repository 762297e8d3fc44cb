"""Times penalties beside what a user would write instead; run by `make bench`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch
from benchmarks.speed import arrays, sites
from benchmarks.speed.arrays import Case
from benchmarks.speed.timing import medians


def main(exponent: int = 24) -> None:
    """Print a table of times and of ratios to the limit, and keep the figures as JSON."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    results = {}
    for case in [*arrays.cases(exponent), *sites.cases()]:
        results[case.what] = times = medians(case.contenders)  # type: ignore[arg-type]
        print(f"\n{case.what}")
        for name, seconds in times.items():
            print(f"  {name:22} {seconds * 1e6:12.1f} µs  {_ratio(times, case, name):6.2f}")
    folder = Path("benchmarks/results")
    folder.mkdir(exist_ok=True)
    (folder / "speed.json").write_text(json.dumps(results, indent=2) + "\n")


def _ratio(times: dict[str, float], case: Case, name: str) -> float:
    return times[name] / times[case.limit]


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
