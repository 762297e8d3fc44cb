"""Silence is counted in samples, in their order."""

import pytest
import torch
from torch import Tensor

import regularizers as rz
from monitor.helpers import sparse
from regularizers.errors import ConfigurationError, ShapeError


def silent_by_hand(x: Tensor, valid: Tensor | None = None) -> list[int]:
    """Return for how many of its samples each unit has been silent, read one by one."""
    silent = [0] * x.shape[1]
    for n, sample in enumerate(x.tolist()):
        for unit, value in enumerate(sample):
            if valid is None or valid[n, unit]:
                silent[unit] = 0 if value != 0 else silent[unit] + 1
    return silent


def rare(rows: int = 60, seed: int = 0) -> Tensor:
    """Return units that are active on 0, 3, 6, ... per cent of the samples, and always."""
    generator = torch.Generator().manual_seed(seed)
    often = torch.tensor([0.0, 0.03, 0.06, 0.1, 0.3, 1.0])
    return (torch.rand(rows, 6, generator=generator) < often).float()


@pytest.mark.parametrize("sizes", [[60], [1] * 60, [7, 50, 3]], ids=["one", "each", "unequal"])
def test_silent_samples_of_each_unit(sizes):
    x, dead = rare(), rz.monitor.DeadUnits()
    for part in x.split(sizes):
        dead.update(part)
    assert dead.silent().tolist() == silent_by_hand(x)
    assert dead.silent()[0] == 60
    assert dead.which().tolist() == (x == 0).all(dim=0).tolist()


@pytest.mark.parametrize("after", [1, 4, 20, 60, 61])
def test_dead_after(after):
    x, dead = rare(), rz.monitor.DeadUnits(after)
    for part in x.split(7):
        dead.update(part)
    expected = [n >= after for n in silent_by_hand(x)]
    assert dead.which().tolist() == expected
    assert dead.value() == sum(expected)
    assert dead.fraction() == pytest.approx(sum(expected) / 6)


@pytest.mark.parametrize("cut", range(0, 61, 6))
def test_merged_streams_come_one_after_the_other(cut):
    x, first, then = rare(), rz.monitor.DeadUnits(), rz.monitor.DeadUnits()
    first.update(x[:cut])
    then.update(x[cut:])
    first.merge(then)
    assert first.silent().tolist() == silent_by_hand(x)


@pytest.mark.parametrize("seed", range(5))
def test_streams_beside_each_other_take_turns(seed):
    streams = [rare(60, seed), rare(60, seed + 50), rare(60, seed + 100)]
    parts = [rz.monitor.DeadUnits() for _ in streams]
    for part, x in zip(parts, streams, strict=True):
        part.update(x)
    joined = parts[0].together(parts).silent()
    in_turns = silent_by_hand(torch.stack(streams, dim=1).reshape(180, 6))
    late = torch.tensor(in_turns) - joined
    # which of the three came last in its turn is not known
    assert ((late >= 0) & (late < 3)).all()
    assert joined[0] == 180


def test_a_unit_that_is_active_in_one_process_is_not_dead():
    active, silent = rz.monitor.DeadUnits(10), rz.monitor.DeadUnits(10)
    active.update(torch.ones(50, 1))
    silent.update(torch.zeros(50, 1))
    assert silent.together([active, silent]).value() == 0
    assert silent.together([silent, active]).value() == 0
    assert silent.together([silent, silent]).silent().tolist() == [100]


@pytest.mark.parametrize("sizes", [[60], [7, 50, 3]], ids=["one", "unequal"])
def test_a_mask_of_units_counts_their_own_samples(sizes):
    x, dead = rare(), rz.monitor.DeadUnits()
    generator = torch.Generator().manual_seed(3)
    valid = torch.rand(60, 6, generator=generator) < 0.7
    for part, mask in zip(x.split(sizes), valid.split(sizes), strict=True):
        dead.update(part.masked_fill(~mask, torch.nan), mask=mask)
    assert dead.silent().tolist() == silent_by_hand(x, valid)


def test_a_unit_without_a_valid_sample_is_not_called_dead():
    dead = rz.monitor.DeadUnits()
    mask = torch.tensor([[True, False], [True, False]])
    dead.update(torch.zeros(2, 2), mask=mask)
    assert dead.which().tolist() == [True, False]


def test_before_any_sample_there_is_no_unit():
    dead = rz.monitor.DeadUnits()
    assert dead.which().tolist() == []
    assert dead.silent().tolist() == []


def test_the_threshold_says_what_is_active():
    dead = rz.monitor.DeadUnits(threshold=0.5)
    dead.update(torch.tensor([[0.5, -0.6], [0.1, 0.0]]))
    assert dead.silent().tolist() == [2, 1]


def test_units_that_became_nan_are_silent():
    dead = rz.monitor.DeadUnits()
    dead.update(torch.tensor([[torch.nan, torch.inf]]))
    assert dead.which().tolist() == [True, False]


@pytest.mark.parametrize("after", [0, -1, 2.0, True])
def test_after_is_a_number_of_samples(after):
    with pytest.raises(ConfigurationError, match=r"after: expected a number of samples, 1 or more"):
        rz.monitor.DeadUnits(after)


@pytest.mark.parametrize("metric", [rz.monitor.DeadUnits(), rz.monitor.DensityHistogram()])
def test_another_number_of_units_raises_and_changes_nothing(metric):
    metric = metric.fresh()
    metric.update(sparse(5, 4))
    before = metric.as_dict()
    with pytest.raises(
        ShapeError,
        match=r"^D.*: expected 4 units, as before, got 6; .*axis=\(0, 1\), or reset\(\) first",
    ):
        metric.update(sparse(5, 6))
    other = metric.fresh()
    other.update(sparse(5, 6))
    with pytest.raises(ShapeError, match=r"^D\w+: expected 4 units, as before, got 6"):
        metric.merge(other)
    assert metric.as_dict() == before
    metric.reset()
    metric.update(sparse(5, 6))
