"""What single metrics have of their own: edges, settings, what they return."""

import math

import numpy as np
import pytest
import torch

import regularizers as rz
from monitor.helpers import sparse
from regularizers.errors import ConfigurationError, RegularizersError, ShapeError

# the type of sums on a device that need not be there
from regularizers.monitor.metrics._block import widest


def value(metric: rz.monitor.Metric, x: torch.Tensor, **options: object) -> object:
    metric.update(x, **options)
    return metric.value()


def test_active_units_counts_what_is_not_zero_exactly():
    tiny = torch.tensor([[5e-324, -5e-324, 0.0, -0.0]], dtype=torch.float64)
    assert value(rz.monitor.ActiveUnits(), tiny) == 2


def test_active_units_takes_the_threshold_itself_for_silent():
    assert value(rz.monitor.ActiveUnits(0.5), torch.tensor([[0.5, -0.5, 0.51]])) == 1


@pytest.mark.parametrize("threshold", [-1.0, math.nan, math.inf, "0"])
@pytest.mark.parametrize("make", [rz.monitor.ActiveUnits, rz.monitor.DeadUnits])
def test_a_threshold_is_finite_and_not_negative(make, threshold):
    with pytest.raises(
        RegularizersError, match="threshold: expected a finite number, zero or more"
    ):
        make(threshold=threshold)


def test_counts_beyond_what_float32_can_count():
    active = rz.monitor.ActiveUnits()
    ones = torch.ones(1, dtype=torch.bfloat16).expand(2**22, 1)
    for _ in range(5):
        active.update(ones)
    assert active.sums["active"].item() == 5 * 2**22
    assert active.value() == 1


def test_half_precision_is_wide_before_it_is_squared():
    norm = rz.monitor.Norm()
    norm.update(torch.full((3, 4096), 300.0, dtype=torch.float16))
    assert norm.value() == 300 * 64
    assert norm.root_mean_square() == 300


def test_the_norm_of_float32_neither_overflows_nor_vanishes():
    for size in (1e30, 1e-30):
        norm = value(rz.monitor.Norm(), torch.full((1, 4), size))
        assert norm == pytest.approx(2 * size, rel=1e-6)


@pytest.mark.parametrize("units", [2, 3, 100])
def test_hoyer_is_1_of_one_active_unit_and_0_of_equal_ones(units):
    one = torch.eye(units, dtype=torch.float64) * torch.arange(1, units + 1)[:, None]
    assert value(rz.monitor.HoyerSparsity(), -3 * one) == pytest.approx(1, rel=1e-12)
    alike = torch.tensor([[1.0], [-2.0]], dtype=torch.float64).expand(2, units)
    assert value(rz.monitor.HoyerSparsity(), alike) == pytest.approx(0, abs=1e-12)


def test_hoyer_of_a_silent_sample_is_1():
    x = torch.zeros(4, 5)
    x[3] = 1.0
    assert value(rz.monitor.HoyerSparsity(), x) == pytest.approx(0.75, abs=1e-7)


def test_hoyer_of_one_unit_raises():
    with pytest.raises(
        ShapeError,
        match=r"^HoyerSparsity: expected samples of two units or more, got one.*batch_axis",
    ):
        rz.monitor.HoyerSparsity().update(torch.ones(4, 1))


def test_hoyer_with_a_mask_is_of_the_units_it_leaves():
    x = torch.tensor([[3.0, 4.0, 9.0], [0.0, 2.0, 9.0], [1.0, 9.0, 9.0]])
    mask = torch.tensor([[True, True, False], [True, True, False], [True, False, False]])
    by_hand = ((math.sqrt(2) - 7 / 5) / (math.sqrt(2) - 1) + 1) / 2  # the third has one unit
    assert value(rz.monitor.HoyerSparsity(), x, mask=mask) == pytest.approx(by_hand, rel=1e-6)


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 0.9])
def test_the_edges_of_saturation_are_where_the_slope_is_that_share(share):
    def slope(function, y: float) -> float:
        z = torch.tensor(y, dtype=torch.float64)
        z = (z.logit() if function is torch.sigmoid else z.atanh()).requires_grad_()
        (gradient,) = torch.autograd.grad(function(z), z)
        return gradient.item()

    sigmoid = rz.monitor.Saturation.of_sigmoid(share)
    tanh = rz.monitor.Saturation.of_tanh(share)
    for edge in (sigmoid.low, sigmoid.high):
        assert slope(torch.sigmoid, edge) == pytest.approx(share / 4, rel=1e-9)
    for edge in (tanh.low, tanh.high):
        assert slope(torch.tanh, edge) == pytest.approx(share, rel=1e-9)


def test_saturation_compares_in_more_than_half_precision():
    x = torch.tensor([[0.97265625, 0.9765625]], dtype=torch.bfloat16)  # neighbours around 0.9743
    assert value(rz.monitor.Saturation.of_sigmoid(), x) == 0.5


def test_saturation_does_not_count_what_is_masked():
    x, mask = torch.tensor([[0.0, 0.5], [1.0, 0.5]]), torch.tensor([False, True])
    assert value(rz.monitor.Saturation(0.1, 0.9), x, mask=mask) == 0.5


@pytest.mark.parametrize("edges", [(1.0, 1.0), (2.0, 1.0), (math.nan, 1.0)])
def test_saturation_needs_two_edges_in_order(edges):
    with pytest.raises(ConfigurationError, match="two numbers of which low is smaller, got low="):
        rz.monitor.Saturation(*edges)


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1, math.nan])
@pytest.mark.parametrize("of", [rz.monitor.Saturation.of_sigmoid, rz.monitor.Saturation.of_tanh])
def test_a_share_of_the_slope_is_between_0_and_1(of, share):
    with pytest.raises(ConfigurationError, match="share: expected a number between 0 and 1"):
        of(share)


@pytest.mark.parametrize(("bins", "low"), [(24, -6.0), (5, -2.0), (1, -0.5)])
def test_the_histogram_is_that_of_numpy(bins, low):
    generator = torch.Generator().manual_seed(0)
    often = 10 ** (-3 * torch.rand(200, generator=generator))
    x = (torch.rand(500, 200, generator=generator) < often).float()
    x[:, 0], x[:, 1] = 0.0, 1.0
    histogram = value(rz.monitor.DensityHistogram(bins, low=low), x)
    density = (x != 0).double().mean(dim=0).numpy()
    logarithm = np.log10(density[density > 0]).clip(low)  # rarer ones are in the first bin
    counts, edges = np.histogram(logarithm, bins, range=(low, 0))
    assert histogram.counts.tolist() == counts.tolist()
    assert histogram.edges.tolist() == pytest.approx(edges.tolist(), abs=1e-15)
    assert histogram.silent == (density == 0).sum() > 0
    assert histogram.counts.sum() + histogram.silent == 200


def test_a_density_at_an_edge_is_in_the_bin_above_it():
    x = (torch.arange(100)[:, None] < torch.tensor([1, 10, 100])).float()
    histogram = value(rz.monitor.DensityHistogram(4, low=-4.0), x)
    assert histogram.counts.tolist() == [0, 0, 1, 2]


def test_densities_are_exact_and_of_the_samples_of_each_unit():
    density = rz.monitor.DensityHistogram()
    mask = torch.tensor([[True, True, False], [True, False, False]])
    density.update(torch.tensor([[1.0, 1.0, 1.0], [0.0, 1.0, 1.0]]), mask=mask)
    assert density.densities()[:2].tolist() == [0.5, 1.0]
    assert math.isnan(density.densities()[2])
    assert density.value().counts.sum() == 2


def test_the_histogram_before_any_sample_counts_nothing():
    histogram = rz.monitor.DensityHistogram(3).value()
    assert histogram.counts.tolist() == [0, 0, 0]
    assert histogram.silent == 0
    assert rz.monitor.DensityHistogram().densities().tolist() == []


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"bins": 0}, "bins: expected a number of bins, 1 or more, got 0"),
        ({"bins": 2.0}, "bins: expected a number of bins"),
        ({"low": 0.0}, "low: expected a log10 density, finite and below 0, got 0.0"),
        ({"low": -math.inf}, "low: expected a log10 density"),
    ],
)
def test_settings_of_the_histogram(settings, message):
    with pytest.raises(ConfigurationError, match=message):
        rz.monitor.DensityHistogram(**settings)


@pytest.mark.parametrize("wrong", [torch.nan, torch.inf])
@pytest.mark.parametrize("metric", [rz.monitor.MeanActivation(), rz.monitor.Norm()])
def test_what_is_not_finite_is_seen(metric, wrong):
    x = sparse(5, 4)
    x[2, 1] = wrong
    assert not math.isfinite(value(metric.fresh(), x))


def test_sums_are_kept_in_float64_where_there_is_one():
    assert widest(torch.device("cpu")) == torch.float64
    assert widest(torch.device("mps")) == torch.float32
