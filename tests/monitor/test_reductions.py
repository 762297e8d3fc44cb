"""The reductions on a CPU, in float32 and by BLAS, against float64 on the same elements."""

import numpy as np
import pytest
import torch
from torch import Tensor

import regularizers as rz

# the arithmetic below the metrics: its sizes are edges that no metric shows
from regularizers.monitor.metrics import _last_active, _samples
from regularizers.monitor.metrics._block import Block
from regularizers.monitor.metrics._last_active import LastActive
from regularizers.monitor.metrics._reductions import (
    ActivePerUnit,
    Norms,
    NormTotal,
    SquareTotal,
    Total,
)

METRICS = [
    rz.monitor.ActiveUnits(),
    rz.monitor.ActiveUnits(0.5),
    rz.monitor.DeadUnits(),
    rz.monitor.MeanActivation(),
    rz.monitor.Norm(),
    rz.monitor.HoyerSparsity(),
    rz.monitor.DensityHistogram(),
    rz.monitor.Saturation.of_tanh(),
]


def rare(rows: int, units: int, seed: int = 0) -> Tensor:
    """Return float32 of both signs, whose units are active seldom, often, never or always."""
    generator = torch.Generator().manual_seed(seed)
    often = torch.tensor([0.0, 1.0, 2 / rows, 0.1, 0.5]).repeat(units)[:units]
    x = torch.randn(rows, units, generator=generator)
    return x * (torch.rand(rows, units, generator=generator) < often)


def last(x: np.ndarray) -> list[int]:
    numbers = np.arange(1, len(x) + 1)[:, None]
    return ((x != 0) * numbers).max(axis=0).tolist()


@pytest.mark.parametrize("rows", [1, 2, 63, 64, 65, 127, 128, 129, 200, 1000])
def test_the_last_active_sample_is_read_off_an_exponent(rows):
    x = rare(rows, 11, seed=rows)
    samples = rz.monitor.Samples.of(x)
    assert samples.last_active(0.0).tolist() == last(x.numpy())
    assert samples.last_active(0.5).tolist() == last((x.abs() > 0.5).numpy())


def test_it_is_read_in_float32_whatever_the_default_dtype_is():
    _last_active._powers.cache_clear()
    default = torch.get_default_dtype()
    try:
        torch.set_default_dtype(torch.float64)
        model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU())
        with rz.Monitor(model, "1") as monitor:
            model(torch.randn(16, 4))
            assert monitor.as_dict()
    finally:
        torch.set_default_dtype(default)
        _last_active._powers.cache_clear()


@pytest.mark.parametrize("at_once", [11, 64 * 11, 100 * 11, 130 * 11])
def test_the_last_active_sample_of_several_blocks(at_once, monkeypatch):
    monkeypatch.setattr(_samples, "_AT_ONCE", {True: at_once})
    x = rare(500, 11)
    assert rz.monitor.Samples.of(x).last_active(0.0).tolist() == last(x.numpy())


def test_every_row_alone_and_all_together_are_told_apart():
    """No rounding of the sum of all powers reaches the next exponent."""
    ones = torch.ones(64, 64).tril()
    assert rz.monitor.Samples.of(ones.mT.contiguous()).last_active(0.0).tolist() == [*range(1, 65)]
    assert rz.monitor.Samples.of(torch.eye(64)).last_active(0.0).tolist() == [*range(1, 65)]
    assert set(rz.monitor.Samples.of(torch.ones(64, 3)).last_active(0.0).tolist()) == {64}


@pytest.mark.parametrize("metric", METRICS, ids=repr)
@pytest.mark.parametrize("shape", [(300, 40), (3, 2500), (70, 1024), (2, 1025)], ids=str)
def test_float32_is_as_its_float64(metric, shape):
    x = rare(*shape)
    narrow, wide = metric.fresh(), metric.fresh()
    narrow.update(x)
    wide.update(x.double())
    assert narrow.as_dict() == pytest.approx(wide.as_dict(), rel=1e-6, abs=1e-7)


@pytest.mark.parametrize("metric", METRICS, ids=repr)
@pytest.mark.parametrize(
    "make",
    [
        lambda x: x.mT.contiguous().mT,
        lambda x: x[::2, 1:],
        lambda x: x[:1].expand(5, -1),
        lambda x: x.to(torch.bfloat16),
    ],
    ids=["transposed", "sliced", "expanded", "half"],
)
def test_any_layout_is_read(metric, make):
    x = make(rare(140, 12))
    one, other = metric.fresh(), metric.fresh()
    one.update(x)
    other.update(x.contiguous().double())
    assert one.as_dict() == pytest.approx(other.as_dict(), rel=1e-6, abs=1e-7)


@pytest.mark.parametrize("metric", METRICS, ids=repr)
def test_autocast_rounds_no_count(metric):
    x = rare(300, 12)
    plain, cast = metric.fresh(), metric.fresh()
    plain.update(x)
    with torch.autocast("cpu", torch.bfloat16):
        cast.update(x)
    assert cast.as_dict() == plain.as_dict()


@pytest.mark.parametrize("metric", METRICS, ids=repr)
def test_inference_mode_leaves_nothing_that_cannot_be_written_later(metric):
    metric = metric.fresh()
    with torch.inference_mode():
        metric.update(rare(77, 13))
    metric.update(rare(77, 13))
    expected = metric.fresh()
    expected.update(torch.cat([rare(77, 13)] * 2))
    assert metric.as_dict() == pytest.approx(expected.as_dict())


def test_sums_that_leave_float32_are_of_float64():
    x = torch.full((2, 4), 3e38)
    metric = rz.monitor.MeanActivation()
    metric.update(x)
    assert metric.value() == pytest.approx(3e38, rel=1e-6)
    norm = rz.monitor.Norm()
    norm.update(x)
    assert norm.as_dict() == pytest.approx({"norm": 6e38, "root_mean_square": 3e38}, rel=1e-6)


def test_small_and_large_samples_beside_each_other():
    x = torch.tensor([[1e-30, 0.0], [3.0, 4.0], [0.0, 0.0]])
    assert rz.monitor.Samples.of(x).norms.tolist() == pytest.approx([0.0, 5.0, 0.0], abs=1e-20)


@pytest.mark.parametrize(
    "reduction",
    [Total(), Norms(), NormTotal(), SquareTotal(), LastActive(0.0), ActivePerUnit(0.0)],
    ids=repr,
)
def test_kept_memory_is_not_that_of_a_result(reduction):
    first, then = (rz.monitor.Samples.of(rare(70, 9, seed)) for seed in (0, 1))
    before = first.read(reduction)
    copy = before.clone() if isinstance(before, Tensor) else before
    then.read(reduction)
    assert torch.equal(before, copy) if isinstance(before, Tensor) else before == copy


def test_indicators_of_one_block_are_apart():
    block = Block(torch.tensor([[0.1, 0.5, 2.0]]), None, is_plain=True)
    shown = [block.indicator(threshold) for threshold in (0.0, 0.2, 1.0)]
    assert [x.sum().item() for x in shown] == [3, 2, 1]
    assert block.absolute().sum().item() == pytest.approx(2.6)
    assert [x.sum().item() for x in shown] == [3, 2, 1]


def test_metrics_of_a_site_read_once(monkeypatch):
    reads: list[float] = []
    original = Block.indicator
    monkeypatch.setattr(
        Block, "indicator", lambda self, t: (reads.append(id(self)), original(self, t))[1]
    )
    model = torch.nn.Sequential(torch.nn.Identity())
    monitor = rz.Monitor(model, "0", METRICS)
    model(rare(70, 9))
    assert len(set(reads)) == 1
    assert monitor["0"]["dead_units"].silent().numel() == 9
