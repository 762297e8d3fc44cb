"""The stable rank, and the products that it keeps."""

import math

import pytest
import torch
from torch import nn

import regularizers as rz
from monitor.helpers import sparse
from regularizers.errors import ShapeError

# the limit is set low, to save memory
from regularizers.monitor.metrics import _stable_rank


def value(x: torch.Tensor, **options: object) -> float:
    metric = rz.monitor.StableRank()
    metric.update(x, **options)
    return metric.value()


def test_multiples_of_one_sample_have_rank_1_and_equal_directions_all():
    assert value(torch.arange(1.0, 5.0)[:, None] * torch.tensor([1.0, -2.0, 3.0])) == pytest.approx(
        1
    )
    assert value(5 * torch.eye(7)) == pytest.approx(7)


def test_by_hand():
    assert value(torch.tensor([[2.0, 0.0], [0.0, 1.0]])) == 1.25


def test_large_and_small_activations_have_the_same():
    x = sparse(20, 7)
    for size in (1e-100, 1e100):
        assert value(size * x) == pytest.approx(value(x), rel=1e-9)


def test_zeros_and_what_is_not_finite_have_none():
    assert math.isnan(value(torch.zeros(3, 2)))
    for wrong in (torch.nan, torch.inf):
        assert math.isnan(value(torch.tensor([[1.0, wrong]])))


def test_under_autocast_products_are_not_of_half_precision():
    x = sparse(300, 7, dtype=torch.float32)
    expected = value(x)
    with torch.autocast("cpu", torch.bfloat16):
        assert value(x) == expected


def test_too_many_units_raise_and_name_the_cure(monkeypatch):
    monkeypatch.setattr(_stable_rank, "MOST_UNITS", 4)
    with pytest.raises(
        ShapeError, match=r"^StableRank: expected at most 4 units, .* got 6; choose a narrower site"
    ):
        value(torch.ones(2, 6))
    assert value(torch.ones(2, 3, 2), batch_axis=(0, 1)) == pytest.approx(1)


def test_another_number_of_units_raises():
    metric = rz.monitor.StableRank()
    metric.update(torch.ones(3, 2))
    with pytest.raises(ShapeError, match="StableRank: expected 2 units, as before, got 3"):
        metric.update(torch.ones(3, 3))


def test_in_a_monitor_beside_others():
    model = nn.Sequential(nn.Linear(4, 6), nn.ReLU()).double()
    monitor = rz.Monitor(model, "1", [rz.monitor.Norm(), rz.monitor.StableRank()])
    code = torch.cat([model(x) for x in sparse(20, 4).split(8)]).detach()
    expected = code.square().sum() / torch.linalg.matrix_norm(code, 2) ** 2
    assert monitor.as_dict()["1/stable_rank"] == pytest.approx(expected.item(), rel=1e-12)
