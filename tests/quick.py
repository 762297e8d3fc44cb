"""Which tests `make quick` runs: a sample that touches every package, and takes under a minute.

Of each test the first setting is run, with NumPy and PyTorch in eager mode: no other library of
arrays, no compiler, no further process. What those would need is refused while the tests run, so
that a test that is chosen by mistake fails and says so. Of the matrix one penalty is run for each
regime and method. The choice depends on nothing but the tests, so that two runs are the same.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from matrix.judge import Regime

TESTS = Path(__file__).parent

LEFT_OUT = {
    *("benchmarks", "distributed", "fuzz", "models"),
    "penalties/test_prox_solvers.py",
    *("recipes/test_classifier.py", "recipes/test_language_model.py", "recipes/test_report.py"),
    *("recipes/test_run_folder.py", "recipes/data/test_options.py"),
    "recipes/test_report_in_browser.py",
    *("recipes/test_sparse_autoencoder.py", "recipes/test_superposition.py", "sae/test_train.py"),
    "recipes/test_sample.py",
}
"""Folders and files that import much and take long; `make test` runs them."""

HEAVY = re.compile(r"^(?:from|import) (?:keras|lightning|transformers)\b", re.MULTILINE)
"""What a file imports that takes seconds to import; `make test` runs it."""

SLOW = re.compile(
    r"\bjax|\bjnp\b|array_api_strict|keras|transformers|lightning|subprocess|spawn|processes"
    r"|compil|export|make_fx|sharded|target_is_reached"
)
"""What the name or the source of a test tells of that is not run quickly."""


def is_left_out(path: Path) -> bool:
    """Return whether nothing of a folder or a file of tests is run."""
    if not path.is_relative_to(TESTS):
        return False
    return path.relative_to(TESTS).as_posix() in LEFT_OUT or _imports_much(path)


def chosen(items: list[pytest.Item]) -> Iterator[pytest.Item]:
    """Yield the tests to run, in their order."""
    met: set[tuple[str, ...]] = set()
    for item in items:
        kind = _kind(item)
        if kind not in met and not _is_slow(item):
            met.add(kind)
            yield item


def refuse_what_is_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let what the quick tests do without fail."""

    def refuse(*_: object, **__: object) -> None:
        pytest.fail("a quick test compiles or starts a process: see SLOW in tests/quick.py")

    for name in ("torch.compile", "subprocess.Popen.__init__"):
        monkeypatch.setattr(name, refuse)
    monkeypatch.setattr("multiprocessing.process.BaseProcess.start", refuse)


def _imports_much(path: Path) -> bool:
    return path.suffix == ".py" and bool(HEAVY.search(path.read_text(encoding="utf-8")))


def _kind(item: pytest.Item) -> tuple[str, ...]:
    """Return what is sampled: a test, or a regime and a method of the matrix."""
    name, parameters = item.nodeid.partition("[")[0], _parameters(item)
    if regime := _regime(item):
        return (name, regime.name, parameters["method"].name)
    return (name,)


def _parameters(item: pytest.Item) -> dict[str, Any]:
    callspec = getattr(item, "callspec", None)
    return {} if callspec is None else callspec.params


def _regime(item: pytest.Item) -> Regime | None:
    """Return the regime of a cell of the matrix; None of other tests."""
    parameters = _parameters(item)
    regime = parameters.get("regime") or parameters.get("small_regime")
    return regime if {"method", "case"} <= parameters.keys() else None


def _is_slow(item: pytest.Item) -> bool:
    if SLOW.search(item.nodeid) or "compiler" in getattr(item, "fixturenames", ()):
        return True
    function = getattr(item, "function", None)
    if function is None:
        return bool(SLOW.search(item.path.read_text(encoding="utf-8")))
    regime = _regime(item)
    if regime is not None:
        return regime.compiles or regime.slow
    return bool(SLOW.search(_source(inspect.unwrap(function))))


@cache
def _source(function: Callable[..., object]) -> str:
    return inspect.getsource(function)
