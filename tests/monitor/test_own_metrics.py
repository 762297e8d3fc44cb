"""Metrics from outside of the package: what they measure however it came, and get wrong."""

import copy
import inspect
import math
import re

import numpy as np
import pytest
import torch
from torch import nn

import regularizers as rz
from monitor import outside_metric
from monitor.helpers import Autoencoder, batches, sparse
from monitor.outside_metric import Kurtosis
from regularizers.errors import ConfigurationError, ShapeError

# the size of a part is set low, so that small batches are read in parts
from regularizers.monitor.metrics import _samples


def by_numpy(x) -> float:
    x = np.asarray(x).ravel()
    apart = x - x.mean()
    return (apart**4).mean() / (apart**2).mean() ** 2


def close(x):
    return pytest.approx(by_numpy(x), rel=1e-10)


def test_it_is_one_file_of_at_most_forty_lines():
    assert len(inspect.getsource(outside_metric).splitlines()) <= 40


def test_batches_of_unequal_size_are_as_one():
    x, metric = sparse(20, 7), Kurtosis()
    for part in x.split([5, 1, 12, 2]):
        metric.update(part)
    assert metric.value() == close(x)
    assert metric.as_dict() == {"kurtosis": close(x)}
    assert type(metric.value()) is float


def test_two_parts_merge():
    x, first, then = sparse(20, 7), Kurtosis(), Kurtosis()
    first.update(x[:13])
    then.update(x[13:])
    first.merge(then)
    assert first.value() == close(x)
    assert then.value() == close(x[13:])


def test_two_processes_join():
    x, parts = sparse(20, 7), [Kurtosis(), Kurtosis()]
    for part, rows in zip(parts, (x[:4], x[4:]), strict=True):
        part.update(rows)
    assert parts[0].together(parts).value() == close(x)
    assert parts[0].synced().value() == close(x[:4])


def test_a_mask_leaves_out():
    x, metric = sparse(4, 5, 6), Kurtosis()
    mask = torch.arange(20).reshape(4, 5) % 3 > 0
    metric.update(x.masked_fill(~mask[..., None], torch.nan), batch_axis=(0, 1), mask=mask)
    assert metric.value() == close(x[mask])


def test_a_large_batch_comes_in_parts(monkeypatch):
    monkeypatch.setattr(_samples, "_AT_ONCE", {True: 14})
    sizes = []

    class Sees(Kurtosis):
        def statistics(self, samples):
            sizes.append(len(samples.x))
            return super().statistics(samples)

    x, metric = sparse(20, 7), Sees()
    metric.update(x)
    assert metric.value() == close(x)
    assert sizes == [2] * 10


def test_before_any_sample_it_is_nan():
    metric = Kurtosis()
    assert math.isnan(metric.as_dict()["kurtosis"])
    assert dict(metric.sums) == {}
    metric.update(sparse(20, 7))
    assert set(metric.sums) == {"n", "sum_1", "sum_2", "sum_3", "sum_4"}
    metric.reset()
    assert math.isnan(metric.value())


def test_in_a_monitor():
    model = Autoencoder()
    monitor = rz.Monitor(model, "act", [Kurtosis(), Kurtosis(excess=True)])
    for x in batches():
        model(x)
    expected = by_numpy(model.code(torch.cat(batches())).detach())
    first, second = monitor.as_dict().values()
    assert first == pytest.approx(expected, rel=1e-10)
    assert second == pytest.approx(expected - 3, rel=1e-9)
    assert "kurtosis" in str(monitor.report())
    again = rz.Monitor(Autoencoder(), "act", [Kurtosis(), Kurtosis(excess=True)])
    again.merge(monitor)
    assert next(iter(again.as_dict().values())) == first


def test_a_copy_goes_on_alone():
    metric = Kurtosis()
    metric.update(sparse(20, 7))
    twin, before = copy.deepcopy(metric), metric.value()
    twin.update(5 + sparse(9, 7))
    assert metric.value() == before != twin.value()
    fresh = Kurtosis(excess=True).fresh()
    assert fresh.excess
    assert fresh.sums == {}


def test_other_settings_do_not_merge():
    with pytest.raises(ConfigurationError, match=r"expected another Kurtosis\(excess=False\)"):
        Kurtosis().merge(Kurtosis(excess=True))


class Made(rz.monitor.Metric):
    """A plain class, whose two functions a test gives."""

    def __init__(self, statistics, compute=None):
        self.its_statistics, self.its_compute = statistics, compute

    def statistics(self, samples):
        return self.its_statistics(samples)

    def compute(self, sums):
        return self.its_compute(sums)


def test_a_metric_may_be_a_plain_class():
    def count(samples):
        return {"count": samples.count}

    metric = Made(count, lambda sums: sums["count"])
    metric.update(torch.ones(3, 2))
    other = metric.fresh()
    other.update(torch.ones(4, 2))
    metric.merge(other)
    assert metric.as_dict() == {"made": 7.0}
    with pytest.raises(ConfigurationError, match="merge: expected another"):
        metric.merge(Made(count, None))


def test_sums_are_kept_wide_and_counts_divide_exactly():
    def statistics(samples):
        return {
            "half": samples.x.half().sum(),
            "which": (samples.x > 0)[0],
            "count": samples.count.to(torch.int32),
        }

    metric = Made(statistics, lambda sums: sums["count"] / (3 * sums["count"]))
    metric.update(torch.ones(3, 2))
    assert [x.dtype for x in metric.sums.values()] == [torch.float64, torch.int64, torch.int64]
    assert metric.value() == 1 / 3  # and not that of float32


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (lambda s: s.x.sum(), r"got Tensor\[\] float32"),
        (lambda s: {}, r"got dict\(\)"),
        (lambda s: {"n": 3}, r"got dict\(n=int\)"),
    ],
)
def test_statistics_are_tensors_by_name(returned, message):
    with pytest.raises(ConfigurationError, match=f"Made: statistics: expected a dict.*{message}"):
        Made(returned).update(torch.ones(3, 2))
    model = nn.Sequential(nn.ReLU())
    monitor = rz.Monitor(model, "0", [Made(returned)])
    with pytest.raises(ConfigurationError, match=r"^0: Made: statistics: expected"):
        model(torch.ones(3, 2))
    monitor.detach()


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (lambda s: 1.0, "got float"),
        (lambda s: s["x"].expand(2), r"got Tensor\[2\] float64"),
        (lambda s: (s["x"], s["x"]), r"got tuple\(Tensor\[\] float64, Tensor\[\] float64\)"),
    ],
)
def test_a_number_is_computed_for_each_name(returned, message):
    metric = Made(lambda samples: {"x": samples.x.sum()}, returned)
    metric.update(torch.ones(3, 2))
    with pytest.raises(
        ConfigurationError, match=f"Made.compute: expected .* for each of made, {message}"
    ):
        metric.as_dict()


def test_sums_have_the_same_names_and_units_in_every_batch():
    metric = Made(lambda samples: {f"of_{samples.units}": samples.x.sum()})
    metric.update(torch.ones(3, 2))
    with pytest.raises(
        ConfigurationError, match="Made: expected the sums of_2, as before, got of_3"
    ):
        metric.update(torch.ones(3, 3))
    metric = Made(lambda samples: {"each": samples.total(samples.x, axis=0)})
    metric.update(torch.ones(3, 2))
    with pytest.raises(ShapeError, match="Made: expected 2 units, as before, got 3"):
        metric.update(torch.ones(3, 3))


def test_a_pair_of_its_own():
    class WorstError(rz.monitor.PairMetric):
        names = ("worst_error", "samples")

        def statistics(self, target, reconstruction):
            off = target.select((target.x - reconstruction.x).abs())
            return {"worst": off.max(), "samples": target.count}

        def join(self, first, then):
            worst = torch.maximum(first["worst"], then["worst"])
            return {"worst": worst, "samples": first["samples"] + then["samples"]}

        def compute(self, sums):
            return sums["worst"], sums["samples"]

    x, metric = sparse(20, 7), WorstError()
    made = x + 0.1 * sparse(20, 7, seed=1)
    for parts in zip(x.split(8), made.split(8), strict=True):
        metric.update(*parts, mask=torch.arange(len(parts[0])) != 3)
    kept = [n for n in range(20) if n % 8 != 3]
    worst = (x - made).abs()[kept].max().item()
    assert metric.as_dict() == {"worst_error": worst, "samples": float(len(kept))}


@pytest.mark.parametrize(
    ("name", "expected"),
    [("Kurtosis", "kurtosis"), ("FractionAbove", "fraction_above"), ("L0Norm", "l0_norm")],
)
def test_a_number_is_named_by_its_class(name, expected):
    kind = type(name, (Made,), {})
    metric = kind(lambda samples: {"x": samples.count}, lambda sums: sums["x"])
    assert list(metric.as_dict()) == [expected]
    assert re.fullmatch(r"[a-z0-9_]+", expected)


def test_what_is_selected_is_what_counts():
    x = torch.tensor([[1.0, 2.0], [3.0, torch.nan]])
    samples = rz.monitor.Samples.of(x, mask=torch.tensor([[True, True], [True, False]]))
    assert samples.select(samples.x == 0).tolist() == [[False, False], [False, False]]
    assert samples.select(samples.x - 1).tolist() == [[0.0, 1.0], [2.0, 0.0]]
    whole = rz.monitor.Samples.of(x[:1])
    assert whole.select(x) is x


class Writing(rz.monitor.Metric):
    """A metric that writes into what it is given."""

    def statistics(self, samples):
        return {"total": samples.x.abs_().sum()}

    def compute(self, sums):
        return sums["total"]


def test_a_metric_that_writes_into_its_samples_is_refused():
    with pytest.raises(ConfigurationError, match=r"Writing: statistics: .* leaves its samples"):
        Writing().update(torch.tensor([[1.0, -2.0]]))
