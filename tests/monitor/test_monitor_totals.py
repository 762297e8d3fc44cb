"""A tensor that another hook has just read is not read again."""

import gc
import threading
import weakref

import pytest
import torch
from torch import Tensor, nn

import regularizers as rz
from regularizers.modules import totals_of

X = torch.tensor([[1.0, 0.0, -2.0], [torch.nan, 0.0, 3.0]])


def site(**options: object) -> tuple[nn.Sequential, rz.Monitor]:
    model = nn.Sequential(nn.Identity())
    options = {"metrics": [rz.monitor.ActiveUnits()], **options}
    return model, rz.Monitor(model, "0", **options)


def known(x: Tensor, active: float) -> Tensor:
    """Leave a wrong total, which shows whether it is taken."""
    totals_of(x)["active"] = torch.tensor(active)
    return x


def test_the_same_tensor_has_the_same_totals_until_it_changes():
    x = X.clone()
    first = totals_of(x)
    first["absolute"] = torch.tensor(6.0)
    assert totals_of(x) is first
    x.add_(1.0)
    assert totals_of(x) == {}
    assert totals_of(x) is not first


def test_another_tensor_of_the_same_memory_has_its_own():
    x = X.clone()
    known(x, 5.0)
    assert totals_of(x.detach()) == {}
    assert totals_of(x) == {}


def test_totals_keep_no_tensor_alive_and_are_of_one_thread():
    x = X.clone()
    known(x, 5.0)
    seen: list[object] = []
    thread = threading.Thread(target=lambda one: seen.append(dict(totals_of(one))), args=[x])
    thread.start()
    thread.join()
    assert seen == [{}]
    left = weakref.ref(x)
    del x, thread
    gc.collect()
    assert left() is None
    assert totals_of(X.clone()) == {}


def test_what_cannot_be_watched_is_not_kept():
    def asked(x: Tensor) -> bool:
        return totals_of(x) is totals_of(x)

    with torch.inference_mode():
        assert not asked(X.clone())
    assert not asked(nn.Parameter(X.clone()))
    assert asked(X.clone())
    inner: list[bool] = []
    torch.func.vmap(lambda row: (inner.append(asked(row)), row)[1])(X)
    assert inner == [False]


def test_a_monitor_takes_what_is_known():
    model, monitor = site()
    model(known(X.clone(), 4.0))
    assert monitor.as_dict()["0/active_units"] == 2.0


@pytest.mark.parametrize("metric", [rz.monitor.ActiveUnits(), rz.monitor.HoyerSparsity()])
def test_a_monitor_leaves_what_it_has_counted(metric):
    model, _monitor = site(metrics=[metric])
    x = X.clone()
    model(x)
    counted = {"active": torch.tensor(3.0, dtype=torch.float64)}  # NaN is not active
    assert totals_of(x) == (counted if isinstance(metric, rz.monitor.ActiveUnits) else {})


def test_a_large_batch_leaves_one_number():
    model, _monitor = site()
    x = torch.ones(3, 2**18)
    model(x)
    assert totals_of(x)["active"].item() == 3 * 2**18


def test_a_change_between_the_hooks_is_counted_again():
    model, monitor = site()
    x = known(X.clone(), 4.0)
    x.mul_(0.0)
    model(x)
    assert monitor.as_dict()["0/active_units"] == 0


@pytest.mark.parametrize(
    "options",
    [
        {"metrics": [rz.monitor.ActiveUnits(0.5)]},
        {"mask": lambda x: torch.ones(2, dtype=torch.bool)},
    ],
    ids=["threshold", "mask"],
)
def test_other_thresholds_and_masks_take_nothing(options):
    model, monitor = site(**options)
    x = known(X.clone(), 5.0)
    model(x)
    assert monitor.as_dict()["0/active_units"] == 1.5
    assert totals_of(x)["active"].item() == 5.0


def test_a_mask_around_a_forward_takes_nothing():
    model, monitor = site()
    with monitor.mask(torch.tensor([True, False])):
        model(known(X.clone(), 5.0))
    assert monitor.as_dict()["0/active_units"] == 2.0


def test_a_selected_part_has_its_own_totals():
    model = nn.Sequential(nn.Identity())
    monitor = rz.Monitor(model, "0", [rz.monitor.ActiveUnits()], select=lambda x: x[:1])
    model(known(X.clone(), 5.0))
    assert monitor.as_dict()["0/active_units"] == 2.0
