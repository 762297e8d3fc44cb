"""What single metrics of pairs have of their own: samples of zeros, sizes, NaN."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

import regularizers as rz
from monitor import oracles
from monitor.helpers import sparse
from regularizers.errors import RegularizersError

ZERO, ONE = torch.zeros(1, 2), torch.tensor([[3.0, 4.0]])


def value(metric: rz.monitor.PairMetric, x: Tensor, made: Tensor, **options: object) -> float:
    metric.update(x, made, **options)
    return metric.value()


@pytest.mark.parametrize(
    ("x", "made", "cosine"),
    [(ZERO, ONE, 0.0), (ONE, ZERO, 0.0), (ZERO, ZERO, 1.0), (ONE, -2 * ONE, -1.0)],
)
def test_the_cosine_of_samples_without_a_direction(x, made, cosine):
    assert value(rz.monitor.CosineSimilarity(), x, made) == pytest.approx(cosine, abs=1e-7)


def test_the_cosine_neither_overflows_nor_vanishes():
    for size in (1e30, 1e-30):
        assert value(rz.monitor.CosineSimilarity(), size * ONE, size * ONE) == pytest.approx(1)


def test_a_target_of_zeros_has_no_norm_ratio():
    assert value(rz.monitor.NormRatio(), torch.cat([ZERO, ONE]), torch.cat([ONE, ONE / 2])) == 0.5
    assert math.isnan(value(rz.monitor.NormRatio(), ZERO, ONE))
    assert value(rz.monitor.NormRatio(), ONE, ZERO) == 0


@pytest.mark.parametrize("factor", [0.5, 1.0, 3.0, -1.0])
def test_sizes_are_seen_by_all_but_the_cosine(factor):
    x = sparse(20, 7)[1:]
    assert value(rz.monitor.NormRatio(), x, factor * x) == pytest.approx(abs(factor))
    assert value(rz.monitor.RelativeBias(), x, factor * x) == pytest.approx(factor)
    assert value(rz.monitor.CosineSimilarity(), x, factor * x) == pytest.approx(np.sign(factor))


def test_dividing_by_the_bias_gives_the_least_error():
    x, made = sparse(20, 7), 0.7 * sparse(20, 7) + 0.1 * sparse(20, 7, seed=1)
    bias = value(rz.monitor.RelativeBias(), x, made)
    errors = [(x - made / (bias * by)).square().sum().item() for by in (0.999, 1.0, 1.001)]
    assert errors[1] == min(errors)
    assert bias < 1
    assert value(rz.monitor.RelativeBias(), x, made / bias) == pytest.approx(1)


def test_a_reconstruction_of_zeros_has_no_bias():
    assert math.isnan(value(rz.monitor.RelativeBias(), ONE, ZERO))


@pytest.mark.parametrize("threshold", [0.0, 0.7])
def test_firing_is_that_of_scikit_learn_on_sparse_codes(threshold):
    x, made = sparse(20, 7), sparse(20, 7, seed=1)
    metric = rz.monitor.Firing(threshold)
    for parts in zip(x.split([5, 1, 14]), made.split([5, 1, 14]), strict=True):
        metric.update(*parts)
    expected = oracles.firing(x.numpy(), made.numpy(), threshold)
    assert metric.as_dict() == pytest.approx(expected, rel=1e-12)
    assert 0 < expected["firing_f1"] < 1


def test_firing_with_a_mask_and_nan_in_a_code():
    x = torch.tensor([[1.0, torch.nan, -1.0, 2.0]])
    made = torch.tensor([[1.0, 1.0, torch.nan, torch.nan]])
    mask = torch.tensor([[True, True, True, False]])
    metric = rz.monitor.Firing()
    metric.update(x, made, mask=mask)  # true: 0, 2; found: 0, 1
    assert metric.as_dict() == {
        "firing_f1": 0.5,
        "firing_precision": 0.5,
        "firing_recall": 0.5,
    }


@pytest.mark.parametrize(
    ("x", "made", "nan"),
    [
        (ONE, ZERO, {"firing_precision"}),
        (ZERO, ONE, {"firing_recall"}),
        (ZERO, ZERO, {"firing_f1", "firing_precision", "firing_recall"}),
    ],
)
def test_where_nothing_fires_there_is_no_share_of_it(x, made, nan):
    metric = rz.monitor.Firing()
    metric.update(x, made)
    numbers = metric.as_dict()
    assert {name for name, number in numbers.items() if math.isnan(number)} == nan
    assert all(number == 0 for name, number in numbers.items() if name not in nan)


@pytest.mark.parametrize("threshold", [-1.0, math.nan])
def test_the_threshold_of_firing_is_not_negative(threshold):
    with pytest.raises(RegularizersError, match="threshold: expected a finite number"):
        rz.monitor.Firing(threshold)


@pytest.mark.parametrize(
    "metric",
    [rz.monitor.CosineSimilarity(), rz.monitor.NormRatio(), rz.monitor.RelativeBias()],
    ids=repr,
)
@pytest.mark.parametrize("side", [0, 1])
def test_nan_is_seen(metric, side):
    arrays = [sparse(5, 4) + 1.0, sparse(5, 4) + 1.0]
    arrays[side][2, 1] = torch.nan
    assert math.isnan(value(metric.fresh(), *arrays))
