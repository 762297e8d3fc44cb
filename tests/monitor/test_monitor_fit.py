"""A metric that says nothing at a site is named: by the type of the module alone."""

import warnings

import pytest
import torch
from torch import nn

import regularizers as rz

SMOOTH = [nn.Sigmoid, nn.Softplus, nn.GELU, nn.SiLU, nn.Tanh, nn.ELU, nn.LogSigmoid, nn.Mish]
COUNTING = [rz.monitor.ActiveUnits, rz.monitor.DeadUnits, rz.monitor.DensityHistogram]


@pytest.mark.parametrize("metric", COUNTING)
@pytest.mark.parametrize("kind", SMOOTH)
def test_zeros_are_not_counted_where_there_are_none(kind, metric):
    model = nn.Sequential(kind())
    message = (
        rf"^Monitor: 0: {metric.__name__} counts zeros, and the output of {kind.__name__} is "
        rf"hardly ever exactly 0; say {metric.__name__}\(threshold=...\)"
    )
    with pytest.warns(UserWarning, match=message) as caught:
        rz.Monitor(model, "0", [metric()])
    assert caught[0].filename == __file__
    rz.Monitor(model, "0", [metric(threshold=0.1)])


@pytest.mark.parametrize(
    ("module", "cure"),
    [
        (nn.Softmax(1), r"or Saturation.of_sigmoid\(\)$"),
        (nn.LSTM(2, 2), r"or Saturation.of_tanh\(\)$"),
        (nn.GELU(), r"threshold=...\)$"),
    ],
    ids=repr,
)
def test_the_cure_is_that_of_the_module(module, cure):
    with pytest.warns(UserWarning, match=cure):
        rz.Monitor(module, "", [rz.monitor.ActiveUnits()])


class Own(nn.GELU):
    """A module of another type, whose output nobody knows."""


@pytest.mark.parametrize(
    "module",
    [nn.ReLU(), nn.Linear(2, 2), nn.RNN(2, 2, nonlinearity="relu"), nn.Identity(), Own()],
    ids=repr,
)
def test_other_modules_are_not_judged(module):
    rz.Monitor(module, "", [metric() for metric in COUNTING])
    rz.Monitor(nn.Sequential(nn.Linear(2, 2)), "0", [rz.monitor.Saturation.of_tanh()])


def test_of_several_one_is_named_and_the_others_are_counted():
    model = nn.Sequential(nn.GELU(), nn.ReLU(), nn.SiLU())
    with pytest.warns(UserWarning, match=r"Monitor: 0: .* \(and 1 more of this kind\)$") as caught:
        rz.Monitor(model, ["0", "1", "2"], [rz.monitor.ActiveUnits(), rz.monitor.Norm()])
    assert len(caught) == 1


TANH, SIGMOID = rz.monitor.Saturation.of_tanh(), rz.monitor.Saturation.of_sigmoid(0.2)


@pytest.mark.parametrize(
    ("metric", "module", "cure"),
    [
        (TANH, nn.ReLU(), "is where tanh is flat, and the output of ReLU has .*; leave it out"),
        (TANH, nn.Sigmoid(), r"the output of Sigmoid .*; say Saturation.of_sigmoid\(\)"),
        (SIGMOID, nn.Tanh(), r"is where sigmoid is flat, .*; say Saturation.of_tanh\(\)"),
        (SIGMOID, nn.GELU(), "the output of GELU has other ends; leave it out"),
    ],
    ids=repr,
)
def test_the_ends_of_another_function(metric, module, cure):
    with pytest.warns(UserWarning, match=cure):
        rz.Monitor(module, "", [metric])


@pytest.mark.parametrize(
    ("metric", "module"),
    [
        (TANH, nn.Tanh()),
        (TANH, nn.LSTM(2, 2)),
        (SIGMOID, nn.Sigmoid()),
        (rz.monitor.Saturation(-float("inf"), 6.0), nn.ReLU()),
        (rz.monitor.Saturation(-5.0, 5.0), nn.ReLU()),
        (rz.monitor.Saturation(0.0, 6.0), nn.ReLU()),
    ],
    ids=repr,
)
def test_ends_that_fit_or_that_somebody_chose(metric, module):
    rz.Monitor(module, "", [metric])


def test_of_metrics_that_nobody_asked_for_the_report_says_so():
    model = nn.Sequential(nn.GELU(), nn.ReLU())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        monitor = rz.Monitor(model, ["0", "1"])
    model(torch.ones(3, 2))
    notes = list(monitor.report().notes)
    assert [note.split(" counts")[0] for note in notes] == ["0: ActiveUnits", "0: DeadUnits"]
    assert list(monitor.synced().report().notes) == notes


def test_a_selected_part_is_not_judged():
    rz.Monitor(nn.LSTM(2, 2), "", [rz.monitor.ActiveUnits()], select=0)
