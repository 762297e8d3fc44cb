"""Runs of the three commands, killed at random moments and resumed: the same figures in the end.

`python tests/recipes/killed.py --moments 30` kills so many runs by signal 9, spread over the
commands, half of them twice, and resumes each. In the end all of a run is as if nobody had killed
it: `metrics.json` and each network to the byte, and no draft is left. With `--writes` the moments
are those at which a file is being replaced: where a folder is damaged most easily.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from recipes.commands import only_folder
from regularizers.__main__ import main

# imported here, so that no process waits for it
from regularizers.recipes import classifier, language_model, sparse_autoencoder  # noqa: F401

TINY = ["--embedding", "6", "--hidden", "8", "--batch-size", "4", "--window", "10"]
COMMANDS: dict[str, list[str]] = {
    "classifier": ["--units", "6", "--epochs", "3", "--seeds", "1", "--target", "kind"],
    "sparse-autoencoder": ["--units", "12", "--active", "3", "--steps", "40"],
    "language-model": [*TINY, "--epochs", "2", "--seeds", "1", "--jobs", "1"],
}
FILES = {"classifier": "--data", "sparse-autoencoder": "--data", "language-model": "--text"}


def write_data(folder: Path) -> dict[str, Path]:
    """Write a small file for each command."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(90, 4)) + 2 * np.eye(4)[np.arange(90) % 3]
    lines = [",".join(f"{v:.6f}" for v in x) + f",{'uvw'[i % 3]}" for i, x in enumerate(rows)]
    (folder / "blobs.csv").write_text("\n".join(["a,b,c,d,kind", *lines]) + "\n")
    blobs = np.repeat(np.eye(2), [4, 5], axis=1)[np.arange(160) % 2]
    np.save(folder / "table.npy", rng.random((160, 9)) * blobs)
    words = ["the cat", "a dog", "one fish", "sees", "hears", "wants"]
    text = [f"{' '.join(rng.choice(words, 3))} .\n" for _ in range(120)]
    (folder / "text.txt").write_text("".join(text))
    names = {"classifier": "blobs.csv", "sparse-autoencoder": "table.npy"}
    return {one: folder / names.get(one, "text.txt") for one in COMMANDS}


def nothing() -> None:
    """Do nothing."""


def started(
    arguments: Sequence[str],
    before: Callable[[], None] = nothing,
    after: Callable[[], None] = nothing,
) -> int:
    """Run a command in a process of its own, silently, and return its number."""
    sys.stdout.flush()
    if process := os.fork():
        return process
    status = 1
    try:
        out = os.open(os.devnull, os.O_WRONLY)
        os.dup2(out, 1)
        before()
        status = main(arguments)
        after()
    finally:
        os._exit(status)


def note_modules(path: Path) -> None:
    """Write the names of what this process has imported."""
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_text("\n".join([*sys.modules]))


def ended(process: int) -> int:
    """Wait for a process, and return its status; negative if a signal ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def killed_at(process: int, seconds: float) -> bool:
    """Kill a process after so many seconds; return whether it was still running."""
    time.sleep(seconds)
    with contextlib.suppress(ProcessLookupError):
        os.kill(process, signal.SIGKILL)
    return ended(process) == -signal.SIGKILL


def kill_at_write(number: int) -> Callable[[], None]:
    """Return what makes a process kill itself at its write of this number, before or after it."""

    def prepare() -> None:
        replace, done = Path.replace, [0]

        def killing(path: Path, target: Path) -> Path:
            at = done[0] = done[0] + 1
            if at == number and number % 2:
                os.kill(os.getpid(), signal.SIGKILL)
            found = replace(path, target)
            if at == number:
                os.kill(os.getpid(), signal.SIGKILL)
            return found

        Path.replace = killing  # type: ignore[method-assign, assignment]

    return prepare


def content(folder: Path) -> dict[str, bytes]:
    """Return the figures, the networks and whatever is a draft, by name."""
    names = ("metrics.json", "training.json", "*.safetensors", "*draft*")
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for name in names
        for path in sorted(folder.rglob(name))
        if path.is_file()
    }


class Runs:
    """The runs of one command: one that nobody kills, and those that are compared with it."""

    def __init__(self, command: str, data: Path, folder: Path) -> None:
        self.command, self.folder = command, folder
        self.arguments = [command, *COMMANDS[command], FILES[command], str(data)]
        modules = folder / "modules"
        first = [*self.arguments, "--runs", str(folder / "first")]
        assert ended(started(first, after=lambda: note_modules(modules))) == 0
        for module in modules.read_text().split():
            # so that no process spends its time on importing
            with contextlib.suppress(Exception):
                importlib.import_module(module)
        begin = time.monotonic()
        assert ended(started([*self.arguments, "--runs", str(folder / "whole")])) == 0
        self.seconds = time.monotonic() - begin
        self.expected = content(only_folder(folder / "whole"))
        assert len(self.expected) > 3
        assert content(only_folder(folder / "first")) == self.expected

    def check(self, name: str, moments: Sequence[float], *, writes: bool) -> str:
        """Kill a run at each of these moments, resume it to its end, and compare.

        Args:
            name: the name of its folder.
            moments: shares of the time of a whole run; with `writes`, numbers of writes.
            writes: whether a process kills itself at a write.

        Returns:
            A line with what happened.
        """
        parent, reached = self.folder / name, []
        for moment in moments:
            before = kill_at_write(int(moment)) if writes else nothing
            process = started(self._go_on(parent), before)
            if writes:
                killed = ended(process) == -signal.SIGKILL
            else:
                killed = killed_at(process, moment * self.seconds)
            reached.append(self._reached(parent) if killed else "its end")
        status = ended(started(self._go_on(parent)))
        assert status == 0, (self.command, moments, reached, status)
        (folder,) = [one for one in parent.iterdir() if (one / "config.json").is_file()]
        found = content(folder)
        different = [
            one for one in self.expected | found if found.get(one) != self.expected.get(one)
        ]
        assert not different, (self.command, moments, reached, different)
        return f"{self.command}: killed after {' and '.join(reached)}; resumed, the same"

    def _go_on(self, parent: Path) -> list[str]:
        folders = [*parent.iterdir()] if parent.is_dir() else []
        for folder in folders:
            if (folder / "config.json").is_file():
                return [self.command, "--resume", str(folder)]
        return [*self.arguments, "--runs", str(parent)]

    def _reached(self, parent: Path) -> str:
        """Say how far a run had come."""
        configs = [*parent.glob("*/config.json")]
        if not configs:
            return "no folder yet"
        files = [*configs[0].parent.rglob("*")]
        networks = sum(path.suffix == ".safetensors" for path in files)
        checkpoints = sum(path.suffix == ".ckpt" for path in files)
        drafts = sum("draft" in path.name for path in files)
        return f"{networks} networks, {checkpoints} checkpoints, {drafts} drafts"


def run(arguments: Sequence[str] | None = None) -> None:
    """Kill and resume runs, and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--moments", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--writes", action="store_true")
    options = parser.parse_args(arguments)
    chance = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent)
        runs = [
            Runs(command, data, folder / command) for command, data in write_data(folder).items()
        ]
        for number in range(options.moments):
            of = runs[number % len(runs)]
            times = 1 + number // len(runs) % 2
            if options.writes:
                moments: list[float] = [chance.randint(1, 24) for _ in range(times)]
            else:
                moments = [chance.random() for _ in range(times)]
            sys.stdout.write(of.check(f"{number}", moments, writes=options.writes) + "\n")
            sys.stdout.flush()
    sys.stdout.write(f"{options.moments} runs were killed, and ended as if they had not been\n")


if __name__ == "__main__":
    run()
