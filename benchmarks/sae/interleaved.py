"""Steps of several programs timed in turns, so that a busy machine is busy for all of them.

A program prepares, writes `ready`, and then for each line it reads, a number of steps, writes the
milliseconds of wall and of processor time that one of them took. While it waits it costs nothing.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from statistics import median
from typing import NamedTuple

WARM_UP = 3


class Round(NamedTuple):
    """Milliseconds a step."""

    wall: float
    cpu: float


def serve(step: Callable[[], object]) -> None:
    """Take steps as they are asked for on standard input, until it ends."""
    for _ in range(WARM_UP):
        step()
    print("ready", flush=True)
    for line in sys.stdin:
        steps = int(line)
        wall, cpu = time.perf_counter(), time.process_time()
        for _ in range(steps):
            step()
        spent = time.perf_counter() - wall, time.process_time() - cpu
        print(*(1000 * each / steps for each in spent), flush=True)


def interleave(commands: Mapping[str, str], rounds: int, steps: int) -> dict[str, list[Round]]:
    """Return for each command what its rounds took; the commands take turns."""
    programs = {name: _started(command) for name, command in commands.items()}
    try:
        results: dict[str, list[Round]] = {name: [] for name in commands}
        for program in programs.values():
            _expect_ready(program)
        for _ in range(rounds):
            for name, program in programs.items():
                results[name].append(_round(program, steps))
        return results
    finally:
        for program in programs.values():
            program.kill()
            program.wait()


def table(results: Mapping[str, list[Round]]) -> str:
    """Return medians, the fastest round, and each program's share of the first one's time.

    The share is the median of the shares in each turn. Processor time is what a shared machine
    leaves alone.
    """
    first = next(iter(results.values()))
    lines = [
        "| | wall, ms a step | fastest | CPU, ms a step | CPU, share of the first |",
        "|---|---|---|---|---|",
    ]
    for name, rounds in results.items():
        walls, cpus = [r.wall for r in rounds], [r.cpu for r in rounds]
        share = median(r.cpu / f.cpu for r, f in zip(rounds, first, strict=True))
        lines.append(
            f"| {name} | {median(walls):.1f} | {min(walls):.1f} | {median(cpus):.1f} "
            f"| {share:.2f} |"
        )
    return "\n".join(lines)


def _started(command: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        shlex.split(command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def _expect_ready(program: subprocess.Popen[str]) -> None:
    line = _read(program)
    if line != "ready":
        raise SystemExit(f"{program.args}: expected a line 'ready', got {line!r}")


def _round(program: subprocess.Popen[str], steps: int) -> Round:
    assert program.stdin is not None
    program.stdin.write(f"{steps}\n")
    program.stdin.flush()
    return Round(*(float(each) for each in _read(program).split()))


def _read(program: subprocess.Popen[str]) -> str:
    assert program.stdout is not None
    line = program.stdout.readline()
    if not line:
        raise SystemExit(f"{program.args}: ended with {program.wait()}")
    return line.strip()
