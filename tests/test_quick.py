"""The quick tests are a sample: the first settings of each test, and nothing slow."""

import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

import quick


def plain():
    """A test."""


def of_jax():
    import jax  # noqa: F401


def compiled():
    torch.compile(plain)


def item(nodeid, function=plain, fixtures=(), **parameters):
    callspec = SimpleNamespace(params=parameters)
    return SimpleNamespace(
        nodeid=nodeid, function=function, fixturenames=fixtures, callspec=callspec
    )


def chosen(*items):
    return [found.nodeid for found in quick.chosen(list(items))]


def test_of_each_test_the_first_setting_is_run():
    tests = [item(f"{name}[{k}]", k=k) for name in ("a::b", "a::c") for k in range(3)]
    assert chosen(*tests, item("a::d")) == ["a::b[0]", "a::c[0]", "a::d"]


@pytest.mark.parametrize(
    "left_out",
    [
        item("a::b[jax]"),
        item("a::b[array_api_strict]"),
        item("a::b_is_compiled"),
        item("a::b", of_jax),
        item("a::b", compiled),
        item("a::b", fixtures=("compiler",)),
    ],
    ids=lambda test: test.nodeid,
)
def test_other_libraries_and_compilers_are_left_out(left_out):
    assert chosen(left_out, item("a::c")) == ["a::c"]


def test_they_take_no_place_from_others():
    """JAX may come first among the libraries of a test."""
    libraries = [item(f"a::b[{name}]") for name in ("jax", "numpy", "torch")]
    assert chosen(*libraries) == ["a::b[numpy]"]


def test_of_the_matrix_one_penalty_is_run_for_each_regime_and_method():
    def cell(regime, method, case, **kinds):
        kinds = {"compiles": False, "slow": False} | kinds
        return item(
            f"m::t[{regime}-{method}-{case}]",
            regime=SimpleNamespace(name=regime, **kinds),
            method=SimpleNamespace(name=method),
            case=SimpleNamespace(name=case),
        )

    cells = [cell(r, m, c) for r in ("x", "y") for m in ("in", "out") for c in ("L1", "L2")]
    slow = [cell("z", "in", "L1", compiles=True), cell("w", "in", "L1", slow=True)]
    assert chosen(*slow, *cells) == [f"m::t[{r}-{m}-L1]" for r in "xy" for m in ("in", "out")]


def test_examples_in_a_page_are_left_out_where_they_need_jax(tmp_path):
    for name, text in {"a.md": "import jax", "b.md": "import numpy"}.items():
        (tmp_path / name).write_text(text)
    pages = [SimpleNamespace(nodeid=n, path=tmp_path / n) for n in ("a.md", "b.md")]
    assert chosen(*pages) == ["b.md"]


def test_a_file_that_imports_much_is_left_out(tmp_path, monkeypatch):
    monkeypatch.setattr(quick, "TESTS", tmp_path)
    for name, text in {"a.py": "import keras\n", "b.py": "def f():\n    import keras\n"}.items():
        (tmp_path / name).write_text(text)
    assert quick.is_left_out(tmp_path / "a.py")
    assert not quick.is_left_out(tmp_path / "b.py")


def test_what_is_left_out_is_there():
    assert all((quick.TESTS / name).exists() for name in quick.LEFT_OUT)
    assert all(quick.is_left_out(quick.TESTS / name) for name in quick.LEFT_OUT)
    assert not quick.is_left_out(quick.TESTS / "attach")
    assert not quick.is_left_out(Path("elsewhere/fuzz"))


@pytest.mark.parametrize(
    "slow", [lambda: torch.compile(plain), lambda: subprocess.run(["true"], check=True)]
)
def test_what_is_slow_is_refused(slow, monkeypatch):
    quick.refuse_what_is_slow(monkeypatch)
    with pytest.raises(pytest.fail.Exception, match="a quick test compiles or starts a process"):
        slow()
