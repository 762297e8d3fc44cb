"""The search for strengths: a known optimum is found, and what is killed is gone on with."""

import json
import math
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import optuna
import pytest

from recipes import searches
from recipes.searches import BEST, DROPOUT, L1, plan, score
from regularizers.errors import ConfigurationError, RunFolderError

# a run's folder is made without a run
from regularizers.recipes._run_folder import RunFolder
from regularizers.recipes.search import check_search, command_with, find

# the parts of the search, each without a network
from regularizers.recipes.search._journal import open_study
from regularizers.recipes.search._outcome import Outcome, Tried
from regularizers.recipes.search._study import searched
from regularizers.recipes.search._table import outcome_table


def test_a_known_best_is_found(tmp_path):
    outcome = searched(plan(), RunFolder(tmp_path))
    assert len(outcome.trials) == 30
    assert BEST["l1"] / 4 < outcome.best.values["l1"] < 4 * BEST["l1"]
    assert abs(outcome.best.values["dropout"] - BEST["dropout"]) < 0.12
    assert outcome.is_better
    assert outcome.best.mean == max(t.mean for t in outcome.trials if t.whole)
    # the first is the usual one, and what bad beginnings saved are seeds
    assert outcome.trials[0].values == {"l1": 1e-5, "dropout": 0.7}
    early = [t for t in outcome.trials if not t.whole]
    assert 5 < len(early) < 25
    assert all(len(t.scores) < 3 for t in early)
    assert outcome.without == (80, 81, 82)
    assert outcome.outer_without == (79, 80, 81)
    assert outcome.outer_best == tuple(x - 1 for x in outcome.best.scores)


def test_a_lower_score_may_be_the_better_one(tmp_path):
    lower = plan(
        strengths=(L1,), higher=False, inner=lambda values, seed: 200 - score(values, seed)
    )
    outcome = searched(lower, RunFolder(tmp_path))
    assert BEST["l1"] / 3 < outcome.best.values["l1"] < 3 * BEST["l1"]
    assert outcome.is_better


def test_what_is_tried_was_what_is_said(tmp_path):
    seen = []

    def inner(values, seed):
        seen.append(dict(values))
        return score(values, seed)

    outcome = searched(plan(trials=5, inner=inner), RunFolder(tmp_path))
    assert all(t.values in seen for t in outcome.trials)
    for values in seen:
        assert all(float(f"{x:.2g}") == x for x in values.values())
    command = command_with("classifier", _Settings(), outcome.best.values)
    for name, value in outcome.best.values.items():
        words = command.split()
        assert float(words[words.index(f"--{name}") + 1]) == value


def test_the_same_seed_tries_the_same_and_another_seed_others(tmp_path):
    tried = []
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        (tmp_path / name).mkdir()
        outcome = searched(plan(trials=8, seed=seed), RunFolder(tmp_path / name))
        tried.append(outcome.trials)
    assert tried[0] == tried[1]
    assert tried[0][0] == tried[2][0]
    assert tried[0][1:] != tried[2][1:]


def test_a_search_that_is_killed_again_and_again_ends_as_if_it_had_not_been(tmp_path):
    (tmp_path / "whole").mkdir()
    searched(plan(trials=8), RunFolder(tmp_path / "whole"))
    cut = tmp_path / "cut"
    cut.mkdir()
    # within the networks without, within the first trial, and within later ones
    for networks in (2, 2, 4, 9):
        ended = subprocess.run([sys.executable, searches.__file__, cut, str(networks)], check=False)
        assert ended.returncode == -9
    journal = cut / "search.journal"
    states = [t.state.name for t in open_study_of(cut).get_trials(deepcopy=False)]
    assert states.count("FAIL") == 3
    assert states.count("RUNNING") == 0
    # and while a line was written, with the lock held
    with journal.open("ab") as file:
        file.write(b'{"op_code":4,"worker')
    (cut / "search.journal.lock").symlink_to(journal)
    outcome = searched(plan(trials=8), RunFolder(cut))
    assert len(outcome.trials) == 8
    assert (cut / "search.json").read_text() == (tmp_path / "whole/search.json").read_text()


def test_a_trial_that_waits_for_its_process_is_not_taken_for_another(tmp_path):
    for name in ("whole", "cut"):
        (tmp_path / name).mkdir()
    open_study_of(tmp_path / "cut").enqueue_trial({"l1": 0.1, "dropout": 0.1})
    whole, cut = (searched(plan(trials=3), RunFolder(tmp_path / n)) for n in ("whole", "cut"))
    assert cut == whole


def open_study_of(folder):
    return open_study(folder / "search.journal", higher=True, pruner=optuna.pruners.MedianPruner())


def test_a_search_that_ended_measures_nothing_again(tmp_path):
    first = searched(plan(trials=4), RunFolder(tmp_path))

    def never(values, seed):
        raise AssertionError

    assert searched(plan(trials=4, inner=never), RunFolder(tmp_path)) == first


@pytest.mark.parametrize(
    "content", [b"not a journal\n", b'{"op_code":0}\n', b'[1, 2]\n{"a": 1}\n', b"\xff\xfe\n\n"]
)
def test_a_damaged_journal_is_named(tmp_path, content):
    (tmp_path / "search.journal").write_bytes(content)
    with pytest.raises(RunFolderError, match=r"search\.journal: expected the journal of a search"):
        searched(plan(), RunFolder(tmp_path))


def test_trials_that_do_not_train_count_and_are_never_the_best(tmp_path, capsys):
    def inner(values, seed):
        return score(values, seed) if not values["l1"] > 1e-3 else float("nan")

    outcome = searched(plan(strengths=(L1,), trials=12, inner=inner), RunFolder(tmp_path))
    failed = [t for t in outcome.trials if not t.scores]
    assert 0 < len(failed) < 12
    assert "did not train" in capsys.readouterr().out
    assert outcome.best.values["l1"] <= 1e-3


@pytest.mark.parametrize(
    ("inner", "message"),
    [
        (
            lambda values, seed: math.nan if any(values.values()) else 1.0,
            "search: expected strengths at which the network trains, got none in 2 trials",
        ),
        (
            lambda values, seed: math.inf,
            "learning-rate: .* trains with l1 0, dropout 0, got a score",
        ),
    ],
)
def test_where_nothing_trains_it_says_so(inner, message, tmp_path):
    with pytest.raises(ConfigurationError, match=message):
        searched(plan(trials=2, inner=inner), RunFolder(tmp_path))


def test_table_picture_and_command(tmp_path, capsys):
    find(plan(trials=6), RunFolder(tmp_path), "a title", lambda values: f"run {sorted(values)}")
    printed = capsys.readouterr().out
    assert "trial 6 of 6, l1 " in printed
    assert "To use what was found: run ['dropout', 'l1']\n" in printed
    kept = json.loads((tmp_path / "search.json").read_text())
    assert kept["without"] == {
        "inner": {"0": 80.0, "1": 81.0, "2": 82.0},
        "outer": {"0": 79.0, "1": 80.0, "2": 81.0},
    }
    assert len(kept["trials"]) == 6
    assert (tmp_path / "picture.png").read_bytes()[1:4] == b"PNG"


def test_where_nothing_helps_the_command_says_zero(tmp_path, capsys):
    worse = plan(trials=3, inner=lambda values, seed: -sum(values.values()))
    find(worse, RunFolder(tmp_path), "a title", str)
    printed = capsys.readouterr().out
    assert "No trial was better than without on the inner parts: leave these" in printed
    assert "To use what was found: {'l1': 0.0, 'dropout': 0.0}" in printed


def test_table_by_hand():
    best = Tried({"l1": 3.1e-4, "dropout": 0.5}, (94.0, 96.0), whole=True)
    other = Tried({"l1": 1.0, "dropout": 0.5}, (50.0,), whole=False)
    outcome = Outcome((best, other), (90.0, 91.0), best, True, (89.0, 90.0), (92.0, 91.0))
    two = plan(seeds=(0, 1))
    assert outcome_table(two, outcome).splitlines() == [
        "                 l1  dropout  inner accuracy %  outer accuracy %",
        "----------  -------  -------  ----------------  ----------------",
        "without           0        0      90.50 ± 0.71      89.50 ± 0.71",
        "best trial  0.00031      0.5      95.00 ± 1.41      91.50 ± 0.71",
        "Mean ± standard deviation of 2 seeds.",
        "Inner: parts of the training samples, by which the trials were compared. It is the best "
        "of 2 trials and flatters; 1 ended early.",
        "Outer: samples that no trial saw.",
        # the differences 3 and 1: mean 2, deviation sqrt 2, error 1
        "On the outer part the best trial changes the accuracy by +2.00 (seed by seed +3.00, "
        "+1.00), no more than twice its standard error, 1.00.",
    ]


@dataclass(frozen=True)
class _Settings:
    search: tuple[str, ...] = ()
    trials: int | None = None
    l1: float = 0.1
    dropout: float = 0.5
    data: Path | None = None
    names: tuple[str, ...] = ()
    flag: bool = False
    runs: Path = Path("runs")
    resume: Path | None = None

    def check(self) -> None:
        pass


REFUSED = {
    "unknown": (
        ("l2",),
        None,
        {},
        r"search: expected some of l1, dropout, got 'l2'; did you mean l1\?",
    ),
    "twice": (("l1", "l1"), None, {}, "search: expected each name once, got l1 twice"),
    "no trials": (("l1",), 0, {}, "trials: expected 1 or more, got 0"),
    "trials alone": ((), 5, {}, "trials: expected --search NAMES with it, got --trials 5 alone"),
    "given and searched": (
        ("l1",),
        None,
        {"l1": 0.3},
        "l1: expected either a strength or a search for it, got --l1 0.3 beside --search l1; leave",
    ),
    "given beside": (
        ("l1",),
        None,
        {"dropout": 0.3},
        "dropout: expected no strength .* got --dropout 0.3; .* say --search l1 dropout",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_bad_settings_are_refused(case):
    names, trials, given, message = REFUSED[case]
    with pytest.raises(ConfigurationError, match=message):
        check_search(names, trials, (L1, DROPOUT), _Settings(**given))


def test_good_settings_are_taken():
    assert check_search(("dropout", "l1"), 3, (L1, DROPOUT), _Settings()) == (DROPOUT, L1)
    assert check_search((), None, (L1, DROPOUT), _Settings(l1=3.0)) == ()
    assert check_search(("l1",), 3, (L1, DROPOUT), _Settings(dropout=0.3), off=()) == (L1,)


def test_without_optuna_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'regularizers\[search\]'"):
        check_search(("l1",), 3, (L1, DROPOUT), _Settings())


def test_the_command_repeats_what_was_given():
    given = _Settings(search=("l1",), trials=4, data=Path("a b.csv"), names=("x", "y"), flag=True)
    assert command_with("classifier", given, {"l1": 2.5e-5}, leave_out=("runs",)) == (
        "regularizers classifier --data 'a b.csv' --names x y --flag --l1 2.5e-05"
    )
