"""Run many cases, count what becomes of them, and shrink those that fail.

python tests/fuzz/run.py [--seeds 10000] [--processes 2] [--first 0]

Exits with 1 if a case is silently wrong, raises without a reason or crashes.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import time
from collections import Counter
from pathlib import Path

if __name__ == "__main__":
    # the tests import each other from their folder, and not from this one
    sys.path[0] = str(Path(__file__).parents[1])

import torch

from fuzz.draw import draw
from fuzz.shrink import shrink
from fuzz.trial import run
from fuzz.verdict import Verdict

_SHOWN = 20
"""Findings that are shrunk, each of which takes a hundred runs."""

Findings = dict[int, Verdict]


def block(seeds: range) -> tuple[int, Counter[tuple[str, str]], Findings]:
    """Return how many cases were run, what became of them, and those that failed."""
    torch.set_num_threads(1)
    verdicts = {seed: run(draw(seed)) for seed in seeds}
    counts = Counter([(v.kind, v.words) for v in verdicts.values()])
    return len(seeds), counts, {seed: v for seed, v in verdicts.items() if v.is_finding}


def described(seed: int) -> str:
    """Return a failing case, shrunk, as the expression that makes it."""
    torch.set_num_threads(1)
    case = shrink(draw(seed), run)
    verdict = run(case)
    detail = verdict.detail.partition("\n")[0]
    return f"seed {seed}: {verdict.kind}, {verdict.words}: {detail}\n  {case!r}"


def table(counts: Counter[tuple[str, str]]) -> str:
    """Return the counts of every verdict, and of each error by the first words of its message."""
    total = sum(counts.values())
    names = {
        "refused": "raises without a reason",
        "wrong": "silently wrong",
        "invalid": "no program that PyTorch runs",
    }
    lines = []
    for kind in ("exact", "raises", "wrong", "refused", "crash", "invalid"):
        of_kind = {words: n for (k, words), n in counts.items() if k == kind}
        number = sum(of_kind.values())
        lines.append(f"{number:7d}  {number / max(total, 1):6.1%}  {names.get(kind, kind)}")
        if kind != "exact":
            ordered = sorted(of_kind.items(), key=lambda pair: -pair[1])
            lines += [f"{n:7d}            {words}" for words, n in ordered]
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=10000)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--first", type=int, default=0)
    options = parser.parse_args(arguments)
    last = options.first + options.seeds
    blocks = [range(k, min(k + 50, last)) for k in range(options.first, last, 50)]
    counts: Counter[tuple[str, str]] = Counter()
    findings: Findings = {}
    began, done = time.monotonic(), 0
    with multiprocessing.get_context("spawn").Pool(options.processes) as pool:
        for number, of_block, found in pool.imap_unordered(block, blocks):
            done += number
            counts += of_block
            findings |= found
            pace = done / (time.monotonic() - began)
            sys.stderr.write(
                f"\r{done} of {options.seeds}, {60 * pace:.0f} a minute, {len(findings)} failed"
            )
        sys.stderr.write("\n")
        _say(table(counts))
        shown = _different(findings)
        for text in pool.imap(described, shown):
            _say(f"\n{text}")
    if others := sorted(findings.keys() - set(shown)):
        _say(f"\n{len(others)} more failed: {others}")
    return 1 if findings else 0


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _different(findings: Findings) -> list[int]:
    """Return some that failed, of each way to fail as many as of any other."""
    by_words: dict[tuple[str, str], list[int]] = {}
    for seed in sorted(findings):
        by_words.setdefault(findings[seed][:2], []).append(seed)
    turns = [(turn, seed) for seeds in by_words.values() for turn, seed in enumerate(seeds)]
    return [seed for _, seed in sorted(turns)[:_SHOWN]]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
