"""Calls inside a package are counted, and those of the library can be."""

import sys

import pytest
from benchmarks.calls.__main__ import PACKAGE, main, warm_calls
from benchmarks.calls.cases import CASES
from benchmarks.calls.counting import Called, Count, calls_of, count

OUTER = """
from counted_inner import inner
def outer(n):
    return max(map(lambda k: inner(k), range(n)))
"""
INNER = "def inner(k):\n    return abs(k)\n"


@pytest.fixture
def package(tmp_path, monkeypatch):
    (tmp_path / "counted_outer.py").write_text(OUTER)
    (tmp_path / "counted_inner.py").write_text(INNER)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for name in ("counted_outer", "counted_inner"):
        sys.modules.pop(name, None)


def test_calls_of_the_package_are_counted_and_no_others(package):
    from counted_outer import outer

    def elsewhere():
        return sorted([outer(2)], key=lambda k: k)

    a, b = "counted_outer.py", "counted_inner.py"
    called = calls_of(elsewhere, package)
    assert called == [
        Called(a, "outer", 0),
        Called(a, "outer.<locals>.<lambda>", 1),
        Called(b, "inner", 2),
        Called(a, "outer.<locals>.<lambda>", 1),
        Called(b, "inner", 2),
    ]
    assert count(called) == Count(calls=5, rooms=2, changes=3)


def test_the_room_changes_where_a_call_is_not_in_the_file_of_the_one_before():
    rooms = ["a", "a", "b", "a", "c", "c"]
    assert count([Called(room, "", 0) for room in rooms]) == Count(6, 3, 3)
    assert count([]) == Count(0, 0, 0)


def test_nothing_is_watched_afterwards(package):
    def fails():
        raise KeyError

    with pytest.raises(KeyError):
        calls_of(fails, package)
    assert sys.getprofile() is None


@pytest.mark.parametrize("name", CASES)
def test_a_warm_step_calls_the_same_every_time(name):
    first, again = warm_calls(name), warm_calls(name)
    assert first == again
    assert count(first).calls > 10
    assert all((PACKAGE / call.room).is_file() for call in first)


def test_the_table_has_a_row_for_each_case(capsys):
    main([])
    rows = capsys.readouterr().out.splitlines()[2:]
    assert [row.split(" | ")[0].removeprefix("| ") for row in rows] == list(CASES)


def test_the_calls_of_one_case_are_shown(capsys):
    main(["--show", "collect L1"])
    assert "Regularization.penalty" in capsys.readouterr().out
