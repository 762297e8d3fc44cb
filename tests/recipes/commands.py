"""Recipes from the command line: begun, interrupted and refused, and what they leave behind."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from regularizers.__main__ import main


def run(*arguments: object) -> int:
    """Run the command in this process and return its status."""
    return main([*map(str, arguments)])


def only_folder(parent: Path) -> Path:
    (folder,) = parent.iterdir()
    return folder


def figures(folder: Path) -> Any:
    return json.loads((folder / "metrics.json").read_text())


def interrupted(
    arguments: Sequence[str], parent: Path, wait: Callable[[subprocess.Popen[str]], None]
) -> Path:
    """Begin a run, stop it by Ctrl-C when `wait` returns, and return its folder in `parent`."""
    process = subprocess.Popen(
        [sys.executable, "-m", "regularizers", *arguments, "--runs", str(parent)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    wait(process)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 130, (process.returncode, err)
    assert "Traceback" not in err, err
    folder = only_folder(parent)
    assert f"--resume {folder}" in out, out
    return folder


def after_line(start: str) -> Callable[[subprocess.Popen[str]], None]:
    """Return what waits until a process prints a line that starts so."""

    def wait(process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        if not any(printed.startswith(start) for printed in process.stdout):
            pytest.fail(f"ended without a line that starts with {start!r}: {process.communicate()}")

    return wait


def assert_refused(
    arguments: Sequence[object], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A run in the present folder ends with one line, status 2 and no folder of runs."""
    assert run(*arguments) == 2
    err = capsys.readouterr().err
    assert len(err.strip().splitlines()) == 1, err
    assert re.search(message, err), err
    assert not Path("runs").exists()
