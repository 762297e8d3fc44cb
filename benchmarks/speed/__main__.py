"""Times penalties beside the code a user would write instead; run by `make bench`.

Without arguments it runs everything and writes the pages docs/benchmarks/cost*.md. The rows of each
group are kept as soon as it is done, so that after an interruption the rest is named with --only.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Sequence
from pathlib import Path

import torch
from benchmarks.speed.groups import GROUPS, groups_of
from benchmarks.speed.kept import kept
from benchmarks.speed.page import PAGES, write
from benchmarks.speed.run import run
from benchmarks.speed.settings import Settings

DOCS = Path("docs/benchmarks")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the chosen groups, and write the pages from all stored rows."""
    options = _parser().parse_args(arguments)
    if options.device == "cuda" and not torch.cuda.is_available():
        raise SystemExit("--device cuda: there is no GPU here that PyTorch can use")
    docs, folder = DOCS, options.results
    if options.quick:
        folder = folder / "quick"
        folder.mkdir(parents=True, exist_ok=True)
        for page in PAGES:
            shutil.copy(DOCS / page, folder)
        docs = folder
    if not options.write:
        settings = _settings(options)
        for name in options.only or groups_of(options.device):
            run(name, settings, folder, _again(name, options))
    if not options.no_page:
        write(docs, kept(folder, "cpu"), kept(folder, "cuda"))
        print("", *[docs / page for page in PAGES], sep="\n")


def _settings(options: argparse.Namespace) -> Settings:
    if options.quick:
        return Settings(options.device, options.threads, seconds=0.0, rounds=2, quick=True)
    return Settings(options.device, options.threads)


def _again(name: str, options: argparse.Namespace) -> list[str]:
    """Return the arguments of a process that runs one group with the same settings."""
    again = ["--only", name, "--no-page", "--results", str(options.results)]
    again += ["--device", options.device, "--threads", str(options.threads)]
    return [*again, "--quick"] if options.quick else again


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed", description=__doc__)
    add = parser.add_argument
    add("--only", nargs="+", choices=list(GROUPS), metavar="GROUP", help=f"of {', '.join(GROUPS)}")
    add("--quick", action="store_true", help="tiny sizes, to see that everything runs")
    add("--threads", type=int, default=1, help="how many threads to compute with; 1")
    add("--device", choices=("cpu", "cuda"), default="cpu", help="where to compute; cpu")
    add("--write", action="store_true", help="run nothing; write the pages of what is kept")
    add("--no-page", action="store_true", help="keep the rows and leave the pages as they are")
    add("--results", type=Path, default=Path("benchmarks/results"), help="where rows are kept")
    return parser


if __name__ == "__main__":
    main()
