"""Two definitions, how they differ, and what they are where nothing varies."""

import math

import numpy as np
import pytest
import torch
from sklearn.metrics import explained_variance_score, r2_score
from torch import Tensor

import regularizers as rz
from monitor.helpers import sparse
from regularizers.errors import ShapeError

WEIGHTED = {"multioutput": "variance_weighted"}


def both(x: Tensor, made: Tensor) -> tuple[float, float]:
    metrics = rz.monitor.ExplainedVariance(), rz.monitor.FractionOfVarianceUnexplained()
    for metric in metrics:
        for parts in zip(x.split(3), made.split(3), strict=True):
            metric.update(*parts)
    return metrics[0].value(), metrics[1].value()


def varying() -> tuple[Tensor, Tensor]:
    x = sparse(20, 7)[:, :-1]
    return x, x + 0.4 * sparse(20, 7, seed=1)[:, :-1] + torch.arange(6.0) / 10


def test_they_are_those_of_scikit_learn_where_every_unit_varies():
    x, made = varying()
    explained, unexplained = both(x, made)
    by_sklearn = explained_variance_score(x.numpy(), made.numpy(), **WEIGHTED)
    assert explained == pytest.approx(by_sklearn, rel=1e-12)
    r2 = r2_score(x.numpy(), made.numpy(), **WEIGHTED)
    assert unexplained == pytest.approx(1 - r2, rel=1e-12)


def test_they_differ_by_the_mean_residual():
    x, made = varying()
    explained, unexplained = both(x, made)
    bias = (x - made).mean(dim=0).square().sum() / x.var(dim=0, correction=0).sum()
    assert unexplained == pytest.approx(1 - explained + bias.item(), rel=1e-12)


def test_by_hand():
    # variances 1 and 4; residuals vary by 0 and 1; mean residuals are -2 and 1
    x = torch.tensor([[0.0, 1.0], [2.0, 5.0]])
    explained, unexplained = both(x, x + torch.tensor([[2.0, -2.0], [2.0, 0.0]]))
    assert explained == pytest.approx(1 - 1 / 5)
    assert unexplained == pytest.approx((0 + 1 + 4 + 1) / 5)


@pytest.mark.parametrize("constant", [0.0, 7.0, 0.1, 1e8 / 3, -1e-7])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_an_error_where_the_target_does_not_vary_is_seen_by_one_of_them(constant, dtype):
    x, made = (t.to(dtype) for t in varying())
    still = torch.full((20, 1), constant, dtype=dtype)
    error = 1 + abs(constant) * torch.arange(20.0, dtype=dtype)[:, None]
    x_and = torch.cat([x, still], dim=1)
    explained, unexplained = both(x_and, torch.cat([made, still + error], dim=1))
    plain, plainly = both(x, made)
    by_sklearn = explained_variance_score(
        x_and.numpy(), torch.cat([made, still + error], dim=1).numpy(), **WEIGHTED
    )
    assert explained == pytest.approx(plain, rel=1e-6)
    if dtype == torch.float64 and constant in (0.0, 7.0):  # of others its own mean is inexact
        assert explained == pytest.approx(by_sklearn, rel=1e-12)
    spread = 20 * x.double().var(dim=0, correction=0).sum()
    more = ((still + error) - still).double().square().sum() / spread
    assert unexplained == pytest.approx(plainly + more.item(), rel=1e-5)


def test_where_nothing_varies_there_is_no_number():
    still = torch.ones(4, 3)
    assert all(map(math.isnan, both(still, still)))
    explained, unexplained = both(still, torch.arange(12.0).reshape(4, 3))
    assert math.isnan(explained)
    assert unexplained == math.inf


def test_one_sample_does_not_vary():
    explained, unexplained = both(torch.ones(1, 3), torch.zeros(1, 3))
    assert math.isnan(explained)
    assert unexplained == math.inf


def test_nan_is_seen():
    x, made = varying()
    made[3, 1] = torch.nan
    assert all(map(math.isnan, both(x, made)))


def test_units_that_a_mask_leaves_fewer_samples_count_by_their_elements():
    x, made = varying()
    mask = torch.ones(20, 6, dtype=torch.bool)
    mask[5:, 0] = False
    metrics = rz.monitor.ExplainedVariance(), rz.monitor.FractionOfVarianceUnexplained()
    for metric in metrics:
        for rows in torch.arange(20).split(7):
            metric.update(x[rows], made[rows], mask=mask[rows])
    columns = [(x[mask[:, u], u].numpy(), made[mask[:, u], u].numpy()) for u in range(6)]
    spread = sum(((a - a.mean()) ** 2).sum() for a, _ in columns)
    left = sum((((a - b) - (a - b).mean()) ** 2).sum() for a, b in columns)
    errors = sum(((a - b) ** 2).sum() for a, b in columns)
    assert metrics[0].value() == pytest.approx(1 - left / spread, rel=1e-12)
    assert metrics[1].value() == pytest.approx(errors / spread, rel=1e-12)


def test_two_shapes_raise():
    with pytest.raises(
        ShapeError,
        match=r"^ExplainedVariance: expected a reconstruction of the shape of its target, "
        r"\(4, 1, 3\), got \(4, 3\); reshape one of them",
    ):
        rz.monitor.ExplainedVariance().update(torch.ones(4, 1, 3), torch.ones(4, 3))


def test_many_small_batches_keep_their_digits():
    generator = torch.Generator().manual_seed(0)
    x = 1e7 + torch.randn(5000, 2, generator=generator, dtype=torch.float64)
    made = x + 0.1 * torch.randn(5000, 2, generator=generator, dtype=torch.float64)
    explained, _ = both(x, made)
    shifted = explained_variance_score(np.asarray(x - 1e7), np.asarray(made - 1e7), **WEIGHTED)
    assert explained == pytest.approx(shifted, rel=1e-9)
