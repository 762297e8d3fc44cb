"""What a metric refuses: the message says what was expected, what came, and the cure."""

import numpy as np
import pytest
import torch
from torch import nn

import regularizers as rz
from regularizers.errors import ArrayTypeError, ConfigurationError, OutputError, ShapeError

ONES = torch.ones(3, 4)


@pytest.mark.parametrize(
    ("x", "came"),
    [
        (torch.ones(3, dtype=torch.int64), r"Tensor\[3\] int64"),
        (torch.ones(3, dtype=torch.complex64), r"Tensor\[3\] complex64"),
        (torch.ones(3, dtype=torch.bool), r"Tensor\[3\] bool"),
        (np.ones(3), "ndarray"),
        (1.0, "float"),
    ],
)
def test_only_real_floating_tensors_are_read(x, came):
    with pytest.raises(
        ArrayTypeError,
        match=rf"^ActiveUnits: expected a torch.Tensor of a real floating type, got {came}; "
        rf"convert it first",
    ):
        rz.monitor.ActiveUnits().update(x)
    with pytest.raises(ArrayTypeError, match=r"^ExplainedVariance: expected a torch.Tensor"):
        rz.monitor.ExplainedVariance().update(x, x)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"batch_axis": 2}, ShapeError, "Norm: batch_axis: expected axes of an array of 2"),
        ({"batch_axis": (0, 0)}, ShapeError, "Norm: batch_axis: expected distinct axes"),
        ({"batch_axis": 0.0}, ConfigurationError, "Norm: batch_axis: expected an integer"),
        ({"mask": torch.ones(3)}, OutputError, "Norm: mask: expected a boolean tensor"),
        ({"mask": [True] * 3}, OutputError, "Norm: mask: expected a boolean tensor"),
        (
            {"mask": torch.ones(4, dtype=torch.bool)},
            ShapeError,
            r"Norm: mask: expected the leading axes .* \(3, 4\), got shape \(4,\)",
        ),
    ],
)
def test_axes_and_masks_that_do_not_fit(options, error, message):
    metric = rz.monitor.Norm()
    with pytest.raises(error, match=f"^{message}"):
        metric.update(ONES, **options)
    assert metric.value() != metric.value()


@pytest.mark.parametrize(
    "other",
    [
        rz.monitor.ActiveUnits(0.5),
        rz.monitor.MeanActivation(),
        rz.monitor.DeadUnits(),
        rz.monitor.ExplainedVariance(),
    ],
    ids=repr,
)
def test_merging_what_means_something_else(other):
    metric = rz.monitor.ActiveUnits()
    metric.update(ONES)
    with pytest.raises(
        ConfigurationError, match=r"^merge: expected another ActiveUnits\(threshold=0.0\), got .*"
    ):
        metric.merge(other.fresh())
    assert metric.value() == 4


MODEL = nn.Sequential(nn.Linear(4, 3), nn.ReLU())
EV = rz.monitor.ExplainedVariance()


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((), {}, r"Monitor: expected a where, such as 'encoder.act', or pairs, got neither"),
        (("1",), {"every": 0}, r"every: expected an integer, 1 or more, .* got 0"),
        (("1",), {"every": 2.0}, r"every: expected an integer"),
        (("1",), {"during": "test"}, r"during: expected one of 'training', 'evaluation', 'always'"),
        (("1",), {"batch_axis": "0"}, r"batch_axis: expected an integer"),
        (("1",), {"mask": torch.ones(3)}, r"mask: expected a function .*with monitor.mask\(mask\)"),
        (("1", rz.monitor.Norm()), {}, r"metrics: expected a list of metrics; write \[Norm\(\)\]"),
        (("1", [rz.monitor.Norm]), {}, r"metrics: expected metrics, got the class; write Norm\(\)"),
        (("1", ["norm"]), {}, r"metrics: expected metrics such as .*, got 'norm' of type str"),
        (("1", [EV]), {}, r"metrics: ExplainedVariance\(\) needs a target and its .* name them"),
        (("1", []), {}, r"metrics: expected one or more for single activations"),
        ((), {"pairs": {"r": "1"}}, r"pairs\['r'\]: expected \(target, reconstruction\), such as"),
        (("1",), {"pairs": {"1": ("0", "1")}}, r"pairs\['1'\]: a site has the same name"),
    ],
)
def test_settings_of_a_monitor(arguments, options, message):
    with pytest.raises(ConfigurationError, match=f"^{message}"):
        rz.Monitor(MODEL, *arguments, **options)
    assert not MODEL._forward_pre_hooks


def test_a_monitor_is_of_a_module():
    with pytest.raises(ConfigurationError, match=r"^Monitor: expected a torch.nn.Module, got int"):
        rz.Monitor(3, "1")


def test_data_parallel_is_refused():
    model = nn.Sequential(MODEL)
    model.add_module("copies", nn.DataParallel(nn.Linear(2, 2)))
    with pytest.raises(rz.RegularizersError, match=r"^Monitor: nn.DataParallel .*Distributed"):
        rz.Monitor(model, "0")


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (("2",), {}, r"Monitor: where='2' matches nothing in \(root\) Sequential; no name is near"),
        ((nn.Conv1d,), {}, r"Monitor: where=Conv1d matches nothing .*types in the model"),
        ((), {"pairs": {"r": ("0", "x")}}, r"pairs\['r'\]: where='x' matches nothing"),
        (
            (),
            {"pairs": {"r": ("*", "1")}},
            r"pairs\['r'\]: expected one module, .* matches 2: 0, 1",
        ),
    ],
)
def test_a_where_that_matches_nothing_or_too_much(arguments, options, message):
    with pytest.raises(LookupError, match=f"^{message}"):
        rz.Monitor(MODEL, *arguments, **options)
    assert not MODEL._forward_pre_hooks
    assert not any(module._forward_hooks for module in MODEL.modules())
