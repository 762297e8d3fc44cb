"""Apply each mutant to a copy of the package and see whether the tests catch it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from mutants.mutant import PACKAGE, ROOT, Mutant
from mutants.mutants import EQUIVALENT, MUTANTS

AT_ONCE = 2
TIMEOUT = 150  # seconds; of the tests of one mutant
TIMEOUT_UNMUTATED = 600
TESTS_FAILED = 1  # of pytest's exit codes, that which says that tests ran and some failed


class Verdict(NamedTuple):
    """The result of one mutant: `caught`, `survived`, `timed out` or `no mutant`."""

    name: str
    outcome: str
    seconds: float
    detail: str = ""


class Finished(NamedTuple):
    """The result of pytest; no exit code after a timeout."""

    code: int | None
    output: str


@contextmanager
def copied(original: Path) -> Iterator[Path]:
    """Yield a copy of a package in a directory of its own, without compiled files."""
    with tempfile.TemporaryDirectory(prefix="mutant-") as directory:
        package = Path(directory) / PACKAGE.name
        shutil.copytree(original, package, ignore=shutil.ignore_patterns("__pycache__"))
        yield package


def environment(package: Path) -> dict[str, str]:
    """Return the variables with which `package` is what Python imports."""
    return os.environ | {
        "PYTHONPATH": str(package.parent),
        "PYTHONDONTWRITEBYTECODE": "1",
        "OMP_NUM_THREADS": "1",
        "TORCHINDUCTOR_CACHE_DIR": str(package.parent / "compiled"),
    }


def check_is_imported(package: Path) -> None:
    """Raise unless the copy is imported, and not the package as it is installed."""
    found = f"from importlib.util import find_spec; print(find_spec({PACKAGE.name!r}).origin)"
    imported = subprocess.run(
        [sys.executable, "-c", found],
        cwd=ROOT,
        env=environment(package),
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    if Path(imported) != package / "__init__.py":
        raise RuntimeError(f"the tests would import {imported}, and not the copy in {package}")


def tested(package: Path, tests: list[str], *options: str, timeout: float) -> Finished:
    """Run `tests` on the copy in `package`."""
    check_is_imported(package)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n0", *options]
    with subprocess.Popen(
        [*command, *tests],
        cwd=ROOT,
        env=environment(package),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            output, _ = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            # with the processes that it has launched
            os.killpg(process.pid, 9)
            return Finished(None, process.communicate()[0])
        return Finished(process.returncode, output)


def tried(mutant: Mutant, original: Path) -> Verdict:
    """Apply one mutant to a copy of the package in `original` and run its tests."""
    start = time.monotonic()

    def verdict(outcome: str, detail: str = "") -> Verdict:
        return Verdict(mutant.name, outcome, time.monotonic() - start, detail)

    with copied(original) as package:
        path = package / mutant.file
        try:
            path.write_text(mutant.applied(path.read_text(encoding="utf-8")), encoding="utf-8")
        except ValueError as error:
            return verdict("no mutant", str(error))
        finished = tested(package, list(mutant.tests), "-x", timeout=TIMEOUT)
    if finished.code is None:
        return verdict("timed out", _last_line(finished.output))
    if finished.code == 0:
        return verdict("survived", ", ".join(mutant.tests))
    if finished.code == TESTS_FAILED:
        return verdict("caught", _failure(finished.output))
    return verdict("no mutant", f"pytest did not run its tests: {_last_line(finished.output)}")


def _last_line(output: str) -> str:
    return (output.strip() or "nothing was said").splitlines()[-1]


def _failure(output: str) -> str:
    """Return what pytest's summary says of the first test that failed."""
    failed = [line for line in output.splitlines() if line.startswith("FAILED ")]
    return failed[0].removeprefix("FAILED tests/") if failed else _last_line(output)


def unmutated(mutants: list[Mutant], original: Path) -> Finished:
    """Run all tests that are named on the package without an edit."""
    tests = list(dict.fromkeys([test for mutant in mutants for test in mutant.tests]))
    return tested(original, tests, "--tb=short", timeout=TIMEOUT_UNMUTATED)


def chosen(parts: list[str]) -> list[Mutant]:
    """Return the mutants whose names contain one of `parts`; all if there is none."""
    return [m for m in MUTANTS if not parts or any(part in m.name for part in parts)]


def say(text: str) -> None:
    """Write one line at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def show(verdicts: list[Verdict], seconds: float) -> None:
    """Write the table."""
    width = max([len(verdict.name) for verdict in verdicts])
    say(f"\n{'mutant':{width}}  outcome    by")
    for name, outcome, _, detail in verdicts:
        say(f"{name:{width}}  {outcome:9}  {detail.partition(' - ')[0]}")
    for name, reason in EQUIVALENT.items():
        say(f"not tried: {name}: {reason}")
    caught = [verdict for verdict in verdicts if verdict.outcome == "caught"]
    say(f"\n{len(caught)} of {len(verdicts)} mutants caught in {seconds / 60:.1f} minutes")


def main(names: list[str]) -> int:
    """Try the mutants called `names`; return the exit status."""
    mutants = chosen(names)
    if not mutants:
        say(f"no mutant has a name with {' or '.join(map(repr, names))}")
        return 2
    # every mutant is one of the source as it is now, whoever edits it meanwhile
    with copied(PACKAGE) as original:
        return judged(mutants, original)


def judged(mutants: list[Mutant], original: Path) -> int:
    """Try `mutants`, some at once, and say how each fares; return the exit status."""
    start = time.monotonic()
    say(f"{len(mutants)} mutants; first their tests on the package as it is")
    finished = unmutated(mutants, original)
    if finished.code != 0:
        say(finished.output)
        say("these tests must pass before they can catch anything")
        return 2
    say(_last_line(finished.output))
    found: dict[str, Verdict] = {}
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for future in as_completed([pool.submit(tried, mutant, original) for mutant in mutants]):
            verdict = future.result()
            found[verdict.name] = verdict
            progress = f"[{len(found)}/{len(mutants)}] {verdict.seconds:5.1f} s"
            say(f"{progress}  {verdict.outcome:9}  {verdict.name}")
    show([found[mutant.name] for mutant in mutants], time.monotonic() - start)
    return int(any(verdict.outcome != "caught" for verdict in found.values()))
