"""Contenders take turns, and what is said of their times is arithmetic."""

import gc
import json
import time
import weakref

import pytest
from benchmarks.speed import control, timing
from benchmarks.speed.cases import Case, Row, row_of, times_of
from benchmarks.speed.processes import times_in_processes
from benchmarks.speed.settings import Settings
from benchmarks.speed.timing import Timing, quartiles, timed

QUICK = Settings(quick=True, seconds=0.0, rounds=4)


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still until it is told to go on."""

    class Clock:
        now = 0.0

        def passes(self, seconds):
            self.now += seconds

        def __call__(self):
            return self.now

    clock = Clock()
    monkeypatch.setattr(time, "perf_counter", clock)
    return clock


def test_long_calls_are_timed_one_by_one(clock):
    times = timed(
        {"a": lambda: clock.passes(2), "b": lambda: clock.passes(6)},
        seconds=0,
        rounds=3,
        clock=clock,
    )
    assert times == {"a": [2, 2, 2], "b": [6, 6, 6]}


def test_short_calls_are_repeated_and_divided(clock):
    calls = []

    def call() -> None:
        calls.append(None)
        clock.passes(timing.SHORT / 100)

    times = timed({"short": call}, seconds=0, rounds=2, clock=clock)
    assert times["short"] == pytest.approx([timing.SHORT / 100] * 2)
    assert len(calls) == pytest.approx(2 * 100, abs=30)  # and some to know how short it is


def test_rounds_go_on_for_as_long_as_is_asked(clock):
    times = timed(
        {"a": lambda: clock.passes(1), "b": lambda: clock.passes(3)}, seconds=10, clock=clock
    )
    assert len(times["a"]) == len(times["b"]) == 7  # the fewest there are
    times = timed(
        {"a": lambda: clock.passes(1), "b": lambda: clock.passes(3)}, seconds=40, clock=clock
    )
    assert len(times["a"]) == len(times["b"]) == 10


def test_each_has_one_turn_a_round(clock):
    turns = []

    def contender(name):
        def call() -> None:
            turns.append(name)
            clock.passes(1)

        return call

    timed({name: contender(name) for name in "abc"}, seconds=0, rounds=20, clock=clock)
    rounds = ["".join(turns[i : i + 3]) for i in range(len(turns) - 60, len(turns), 3)]
    assert {"".join(sorted(of)) for of in rounds} == {"abc"}
    assert len(set(rounds)) > 1  # the order is drawn anew


def test_the_device_is_waited_for_within_the_turn(clock):
    times = timed(
        {"a": lambda: None},
        seconds=0,
        rounds=2,
        clock=clock,
        synchronise=lambda: clock.passes(1.0),
    )
    assert times["a"] == [1.0] * 2


def test_quartiles():
    assert quartiles([5, 1, 3, 2, 4]) == Timing(2, 3, 4)
    assert quartiles([7.0]) == Timing(7, 7, 7)


def test_ratios_are_taken_within_rounds(clock, monkeypatch):
    """A machine that is ten times as slow in one round is so for both."""
    turns = {"limit": [1.0, 10.0, 1.0], "other": [2.0, 20.0, 4.0]}
    monkeypatch.setattr("benchmarks.speed.cases.timed", lambda *args, **kwargs: turns)
    contenders = dict.fromkeys(turns, clock)
    case = Case("group", "what", "limit", lambda: contenders, {"n": 3})
    row = row_of(case, times_of(case, QUICK))
    assert row.times["other"] == Timing(3, 4, 12)
    assert row.ratios["other"] == Timing(2, 2, 3)
    assert row.ratio("other") == 2
    assert row.ratio("limit", "other") == 0.5


def test_figures_may_be_found_while_contenders_are_made():
    figures = {}

    def contenders():
        figures["found"] = 1.0
        return {"limit": lambda: None}

    case = Case("g", "w", "limit", contenders, figures)
    assert row_of(case, times_of(case, QUICK)).figures == {"found": 1.0}


def test_contenders_are_freed_before_the_next_case():
    class Array:
        pass

    held = []

    def contenders():
        array = Array()
        held.append(weakref.ref(array))
        return {"limit": lambda: array}

    times_of(Case("g", "w", "limit", contenders), QUICK)
    gc.collect()
    assert held[0]() is None


def test_a_row_comes_back_from_json():
    three = Timing(1.0, 2.0, 3.0)
    row = Row("g", "w", "limit", {"limit": three}, {"limit": three}, {"n": 1.0}, "a note")
    assert Row.from_json(json.loads(json.dumps(row.as_json()))) == row


def test_one_thread_is_timed_by_the_processor():
    """So that what else the machine does is not counted; with more, threads wait for each other."""
    assert Settings().clock is time.process_time
    assert Settings(threads=2).clock is time.perf_counter
    assert Settings(device="cuda").clock is time.perf_counter


def test_the_rounds_of_several_processes_are_put_together():
    case = next(iter(control.cases(QUICK)))._replace(processes=2)
    times = times_in_processes(case, QUICK)
    assert times.keys() == case.contenders().keys()
    assert {len(rounds) for rounds in times.values()} == {2 * QUICK.rounds}
    assert all(seconds > 0 for rounds in times.values() for seconds in rounds)
