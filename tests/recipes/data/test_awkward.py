"""Awkward files: each is read as it is, or refused in words that say what and where."""

import re

import numpy as np
import pytest

from recipes.awkward import CASES
from regularizers.errors import DataError
from regularizers.recipes.data import TableOptions, load_labelled, load_samples


def read(case, folder):
    """Return samples, and the class of each where there are classes."""
    path, labels = case.write(folder)
    options = TableOptions(path, **case.options)
    options.check_table()
    if case.target is None and labels is None and not case.has_y:
        return load_samples(path, options), None
    found = load_labelled(path, case.target, labels, options)
    return found.samples, [found.classes[place] for place in found.y]


@pytest.mark.parametrize("name", CASES)
def test_an_awkward_file_is_right_or_refused_in_words(name, tmp_path):
    case = CASES[name]
    if case.error is not None:
        with pytest.raises(DataError) as raised:
            read(case, tmp_path)
        message = str(raised.value)
        assert re.search(case.error, message), message
        assert case.file in message or (case.labels and case.labels[0] in message)
        assert "\n" not in message
        return
    samples, y = read(case, tmp_path)
    np.testing.assert_array_equal(samples.x, np.asarray(case.x, float))
    assert y == (None if case.y is None else list(case.y))
    assert (samples.picture, samples.largest) == (case.picture, case.largest)
    assert len(samples.features) == samples.x.shape[1]
    if case.notes is not None:
        assert re.search(case.notes, "\n".join(samples.notes)), samples.notes


def test_there_are_many_cases_of_each_kind():
    assert len(CASES) > 150
    refused = sum(case.error is not None for case in CASES.values())
    assert 60 < refused < len(CASES) - 60
