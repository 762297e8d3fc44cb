"""Splits by group and by time."""

import numpy as np
import pytest

from regularizers.errors import ConfigurationError, DataError

# a recipe's parts are private; each is tested without the training around it
from regularizers.recipes._split import moments, split_by_group, split_by_time
from regularizers.recipes.data import Aside


def test_a_group_is_on_one_side_and_classes_have_their_shares():
    rng = np.random.default_rng(0)
    groups = rng.integers(0, 30, 600)
    y = (groups + rng.integers(0, 2, 600)) % 3
    training, validation = split_by_group([f"g{group}" for group in groups], 0.3, 0, y)
    assert sorted([*training, *validation]) == list(range(600))
    assert not set(groups[training]) & set(groups[validation])
    shares = np.bincount(y[validation]) / np.bincount(y)
    assert np.abs(shares - 0.3).max() < 0.08
    again = split_by_group([f"g{group}" for group in groups], 0.3, 0, y)
    assert all(map(np.array_equal, again, (training, validation)))
    other, _ = split_by_group([f"g{group}" for group in groups], 0.3, 1, y)
    assert not np.array_equal(other, training)


def test_groups_that_cannot_be_split_are_refused():
    with pytest.raises(ConfigurationError, match=r"group: expected two groups or more, .* 'a'"):
        split_by_group(["a"] * 5, 0.3, 0)
    with pytest.raises(ConfigurationError, match=r"group: expected every class in two of the 2"):
        split_by_group(["a", "a", "b", "b"], 0.3, 0, np.array([0, 0, 1, 1]))


def test_the_last_rows_validate_and_those_of_one_time_stay_together():
    times = np.array([3, 1, 2, 3, 0, 3])
    training, validation = split_by_time(times, 0.3)
    assert training.tolist() == [4, 1, 2]
    assert validation.tolist() == [0, 3, 5]
    with pytest.raises(ConfigurationError, match="time: expected rows before the last 30%"):
        split_by_time(np.array([5, 5, 5]), 0.3)


def column(cells):
    return Aside("when", tuple(cells), lambda row: f"f, line {row + 2}")


def test_times_are_numbers_or_dates():
    def order(*cells):
        return np.argsort(moments(column(cells))).tolist()

    assert order("10", "9", "9.5") == [1, 2, 0]
    assert order("9007199254740993", "9007199254740992") == [1, 0]
    assert order("2024-05-31", "2024-05-31T12:00:00", "2024-05-31 11:00") == [0, 2, 1]
    assert order("2024-05-31T12:00:00+02:00", "2024-05-31T11:00:00+00:00") == [0, 1]


@pytest.mark.parametrize("cell", ["05/06/2024", "", "nan", "soon"])
def test_a_cell_that_is_no_time_is_named(cell):
    for first in ("2024-05-31", "5"):
        with pytest.raises(DataError, match=rf"f, line 3: expected .* got '{cell}'"):
            moments(column([first, cell]))
