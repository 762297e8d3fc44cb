"""The table of compacted classifiers, from short trainings and from made up results."""

import pytest
from benchmarks.pruning import training
from benchmarks.pruning.table import HEADER, table
from benchmarks.pruning.training import Outcome


def test_the_row_of_two_networks():
    outcomes = [
        Outcome((8, 4), (3, 2), 1000, 200, 1e-7, 4.0, 0.98, 0.94, 0.96, 0.96),
        Outcome((8, 4), (5, 2), 1000, 400, 3e-7, 2.0, 0.96, 0.92, 0.94, 0.94),
    ]
    header, rule, row = table({("MLP", 0.01): outcomes}).splitlines()
    assert header.strip("| ").split(" | ") == HEADER.split(" | ")
    assert set(rule) <= set("|- ")
    assert row.strip("| ").split(" | ") == [
        *("MLP", "0.01", "8, 4", "4, 2", "1,000", "300 (30%)", "3.0", "3e-07"),
        *("97.0", "93.0", "95.0", "95.0"),
    ]


@pytest.mark.parametrize("kind", ["MLP", "CNN"])
def test_a_short_training_compacts_to_the_same_outputs(kind, monkeypatch):
    monkeypatch.setattr(training, "STEPS", 60)
    monkeypatch.setattr(training, "FINE_TUNING", 10)
    monkeypatch.setattr(training, "SECONDS", 0.0)
    monkeypatch.setattr(training, "UNITS", 32)
    found = training.outcome(kind, 0.03, seed=0)
    assert found.difference <= 1e-5
    assert found.left < found.parameters
    assert all(k <= u for k, u in zip(found.kept, found.units, strict=True))
    assert sum(found.kept) < sum(found.units)
    assert found.compacted == found.fine_tuned
    assert found.faster > 0
