"""Batches that a monitor has read and not joined yet are counted whenever somebody looks."""

import copy

import pytest
import torch
from torch import Tensor, nn

import regularizers as rz

METRICS = [
    rz.monitor.ActiveUnits(),
    rz.monitor.DeadUnits(after=30),
    rz.monitor.MeanActivation(),
    rz.monitor.Norm(),
    rz.monitor.HoyerSparsity(),
    rz.monitor.DensityHistogram(),
    rz.monitor.Saturation.of_tanh(),
]


def batches(number: int, units: int = 9) -> list[Tensor]:
    """Return batches of several sizes, with units that fire often, seldom and never."""
    generator = torch.Generator().manual_seed(0)
    often = torch.tensor([0.0, 1.0, 0.004, 0.1, 0.5]).repeat(units)[:units]
    sizes = [(1, 64, 3, 70)[i % 4] for i in range(number)]
    return [
        torch.randn(rows, units, generator=generator)
        * (torch.rand(rows, units, generator=generator) < often)
        for rows in sizes
    ]


def watched() -> tuple[nn.Module, rz.Monitor]:
    model = nn.Sequential(nn.Identity())
    return model, rz.Monitor(model, "0", METRICS, during="always")


def whole(seen: list[Tensor]) -> dict[str, float]:
    """Return the numbers of all samples in one update of each metric."""
    numbers: dict[str, float] = {}
    for metric in METRICS:
        fresh = metric.fresh()
        fresh.update(torch.cat(seen))
        numbers |= fresh.as_dict()
    return numbers


def of_site(monitor: rz.Monitor) -> dict[str, float]:
    return {key.removeprefix("0/"): value for key, value in monitor.as_dict().items()}


@pytest.mark.parametrize("number", [1, 2, 16, 17, 18, 40])
def test_batches_are_as_one(number):
    model, monitor = watched()
    seen = batches(number)
    for x in seen:
        model(x)
    assert of_site(monitor) == pytest.approx(whole(seen), nan_ok=True)
    assert monitor["0"]["dead_units"].silent().tolist() == silent_of(torch.cat(seen))


def silent_of(x: Tensor) -> list[int]:
    numbers = torch.arange(1, len(x) + 1)[:, None] * (x != 0)
    return (len(x) - numbers.amax(dim=0)).tolist()


def test_a_metric_that_is_held_is_current_in_every_step():
    model, monitor = watched()
    held = monitor["0"]["dead_units"]
    seen = batches(20)
    for i, x in enumerate(seen, start=1):
        model(x)
        assert held.silent().tolist() == silent_of(torch.cat(seen[:i]))


def test_a_mask_and_another_layout_come_in_their_turn():
    model, monitor = watched()
    seen = batches(12)
    for i, x in enumerate(seen):
        if i % 3 == 0:
            padded = torch.cat([x, torch.full((2, 9), float("nan"))])
            with monitor.mask(torch.arange(len(padded)) < len(x)):
                model(padded)
        elif i % 3 == 1:
            model(x.mT.contiguous().mT)
        else:
            model(x.double())
    assert of_site(monitor) == pytest.approx(whole(seen), rel=1e-6, nan_ok=True)
    assert monitor["0"]["dead_units"].silent().tolist() == silent_of(torch.cat(seen))


def test_another_number_of_units_raises_in_its_own_forward():
    model, monitor = watched()
    seen = batches(5)
    for x in seen:
        model(x)
    with pytest.raises(rz.ShapeError, match="expected 9 units"):
        model(torch.randn(3, 7))
    assert monitor["0"]["dead_units"].silent().tolist() == silent_of(torch.cat(seen))
    monitor.reset()
    model(torch.randn(3, 7))
    assert monitor["0"]["dead_units"].silent().numel() == 7


def test_reset_drops_what_waits():
    model, monitor = watched()
    seen = batches(6)
    for x in seen[:3]:
        model(x)
    monitor.reset()
    for x in seen[3:]:
        model(x)
    assert of_site(monitor) == pytest.approx(whole(seen[3:]), nan_ok=True)


def test_a_reset_of_one_metric_leaves_the_others():
    model, monitor = watched()
    seen = batches(4)
    for x in seen[:2]:
        model(x)
    monitor["0"]["norm"].reset()
    for x in seen[2:]:
        model(x)
    assert monitor["0"]["norm"].value() == pytest.approx(whole(seen[2:])["norm"])
    assert monitor["0"]["mean_activation"].value() == pytest.approx(whole(seen)["mean_activation"])


def test_an_update_by_hand_comes_after_what_waits():
    model, monitor = watched()
    seen = batches(4)
    for x in seen[:3]:
        model(x)
    monitor["0"]["dead_units"].update(seen[3])
    assert monitor["0"]["dead_units"].silent().tolist() == silent_of(torch.cat(seen))


def test_monitors_are_merged_with_what_waits_in_both():
    (model, monitor), (other_model, other) = watched(), watched()
    seen = batches(7)
    for x in seen[:4]:
        model(x)
    for x in seen[4:]:
        other_model(x)
    monitor.merge(other)
    assert of_site(monitor) == pytest.approx(whole(seen), nan_ok=True)
    assert of_site(other) == pytest.approx(whole(seen[4:]), nan_ok=True)
    assert of_site(monitor.synced()) == pytest.approx(whole(seen), nan_ok=True)


def test_a_copy_of_a_metric_does_not_follow_the_monitor():
    model, monitor = watched()
    seen = batches(3)
    model(seen[0])
    model(seen[1])
    copied = copy.deepcopy(monitor["0"]["norm"])
    fresh = monitor["0"]["norm"].fresh()
    model(seen[2])
    assert copied.value() == pytest.approx(whole(seen[:2])["norm"])
    assert fresh.sums == {}


def test_what_is_read_in_inference_mode_is_joined_outside_of_it():
    model, monitor = watched()
    seen = batches(6)
    model(seen[0])
    with torch.inference_mode():
        for x in seen[1:4]:
            model(x)
    for x in seen[4:]:
        model(x)
    assert of_site(monitor) == pytest.approx(whole(seen), nan_ok=True)
    assert monitor["0"]["dead_units"].silent().tolist() == silent_of(torch.cat(seen))
