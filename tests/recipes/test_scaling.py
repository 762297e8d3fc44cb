"""The scaling before a network, beside scikit-learn's, and what it does with constant columns."""

import numpy as np
import pytest
import torch
from sklearn.preprocessing import MinMaxScaler, RobustScaler, StandardScaler
from torch import nn

from regularizers.errors import DataError

# a recipe's parts are private; each is tested without the training around it
from regularizers.recipes._scaling import Scaling, divided_by, fit_scaling

COLUMNS = ["a", "b", "c", "d"]


@pytest.fixture
def x():
    rng = np.random.default_rng(0)
    return rng.normal(size=(200, 4)) * [1, 3, 1e6, 0.01] + [0, 5, 1.7e9, 0]


@pytest.mark.parametrize(
    ("how", "scaler"),
    [("standard", StandardScaler), ("minmax", MinMaxScaler), ("robust", RobustScaler)],
)
def test_it_is_scikit_learns_and_comes_back(how, scaler, x):
    scaling = fit_scaling(x[:150], how, "x", COLUMNS)
    expected = scaler().fit(x[:150]).transform(x)
    y = scaling(torch.from_numpy(x))
    assert y.dtype == torch.float32
    assert np.abs(y.numpy() - expected).max() < 2e-7 * np.abs(expected).max()
    np.testing.assert_allclose(scaling.inverse(y), x, rtol=1e-6, atol=1e-6)
    again = Scaling.from_state(scaling.state_dict())
    assert torch.equal(again(torch.from_numpy(x)), y)


def test_timestamps_keep_their_digits():
    seconds = 1.7e9 + np.arange(120.0)
    assert len(set(seconds.astype(np.float32))) < 5
    y = fit_scaling(seconds[:, None], "standard", "x", ["t"])(torch.from_numpy(seconds[:, None]))
    assert len(y.unique()) == 120


@pytest.mark.parametrize("how", ["standard", "minmax", "robust", "none"])
def test_a_column_constant_in_training_is_left_out_whatever_it_is_later(how, x):
    x[:150, 1] = 0.0
    scaling = fit_scaling(x[:150], how, "x", COLUMNS)
    assert scaling.dropped == [1]
    y = scaling(torch.from_numpy(x))
    others = fit_scaling(x[:150, [0, 2, 3]], how, "x", COLUMNS)(torch.from_numpy(x[:, [0, 2, 3]]))
    assert torch.equal(y, others)
    # where it is left out, it is what it was in training
    assert (scaling.inverse(y)[:, 1] == 0).all()


def test_nothing_is_scaled_by_none(x):
    y = fit_scaling(x, "none", "x", COLUMNS)(torch.from_numpy(x))
    assert torch.equal(y, torch.from_numpy(x).float())


def test_columns_of_any_span_are_scaled(x):
    # scikit-learn takes some of these for constant, and passes them on as they are
    x[:, 0] *= 1e-30
    x[:, 1] = 1e15 + np.arange(200) % 2
    x[:, 2] = np.arange(200) % 10 == 0
    for how in ("standard", "minmax", "robust"):
        y = fit_scaling(x, how, "x", COLUMNS)(torch.from_numpy(x))
        spans = (y.amax(0) - y.amin(0)).tolist()
        assert all(0.9 < span < 10 for span in spans), (how, spans)


def test_pictures_are_divided_by_their_largest_value():
    scaling = divided_by(255.0, 3)
    x = torch.tensor([[0, 51, 255]], dtype=torch.uint8)
    assert torch.equal(scaling(x), torch.tensor([[0.0, 0.2, 1.0]]))
    assert scaling.dropped == []


def test_samples_that_cannot_be_scaled_are_refused():
    with pytest.raises(DataError, match=r"x: expected samples that differ, got 5 for training"):
        fit_scaling(np.ones((5, 2)), "standard", "x", COLUMNS)
    wide = np.array([[0, -1.5e308], [1, 1.5e308]])
    with pytest.raises(DataError, match=r"x, column b: .* span is finite, got values from -1\.5e"):
        fit_scaling(wide, "none", "x", COLUMNS)
    narrow = np.array([[0, 0], [1, 5e-324], [2, 0], [3, 0], [4, 0]])
    with pytest.raises(DataError, match=r"x, column b: .* a number of float64, got 4\.9"):
        fit_scaling(narrow, "standard", "x", COLUMNS)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_a_cast_changes_what_is_returned_and_no_digit_of_the_scaling(dtype):
    seconds = torch.arange(1.7e9, 1.7e9 + 100, dtype=torch.float64)[:, None]
    scaling = Scaling(torch.tensor([1.7e9], dtype=torch.float64), torch.tensor([100.0]))
    model = nn.Sequential(scaling, nn.Linear(1, 2)).to(dtype)
    assert model(seconds).dtype is dtype
    expected = (torch.arange(100, dtype=torch.float64) / 100).to(dtype)
    assert torch.equal(scaling(seconds)[:, 0], expected)
    assert scaling.shift.dtype is scaling.scale.dtype is torch.float64
    assert sorted(scaling.state_dict()) == ["kept", "scale", "shift"]
    meta = scaling.to("meta")
    assert meta.shift.is_meta
    assert meta.scale.is_meta
