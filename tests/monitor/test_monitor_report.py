"""What a person reads."""

import pytest
import torch
from torch import nn

import regularizers as rz
from monitor.helpers import Autoencoder, batches


def test_the_table_and_its_notes():
    model = nn.Sequential(nn.ReLU(), nn.Tanh())
    metrics = [
        rz.monitor.ActiveUnits(),
        rz.monitor.DeadUnits(),
        rz.monitor.Saturation.of_tanh(),
        rz.monitor.MeanActivation(),
    ]
    with pytest.warns(UserWarning, match=r"^Monitor: 0: Saturation\(.*\(and 2 more of this kind\)"):
        monitor = rz.Monitor(model, ["0", "1"], metrics, pairs={"squashed": ("0", "1")})
    model(torch.tensor([[3.0, -1.0, 4.0], [2.0, -1.0, 0.0]]))
    assert str(monitor.report()) == (
        "site  samples  units  active_units  dead_units  saturation  mean_activation\n"
        "----  -------  -----  ------------  ----------  ----------  ---------------\n"
        "0           2      3           1.5           1         0.5              1.5\n"
        "1           2      3           1.5           1         0.5           0.4931\n"
        "\n"
        "pair      samples  units  explained_variance  variance_unexplained\n"
        "--------  -------  -----  ------------------  --------------------\n"
        "squashed        2      3              0.4151                 1.658\n"
        "0: 1 of 3 units were silent on all of 2 samples\n"
        "1: 1 of 3 units were silent on all of 2 samples"
    )
    assert repr(monitor.report()) == str(monitor.report())


def notes(monitor: rz.Monitor) -> list[str]:
    return list(monitor.report().notes)


def test_what_was_not_seen_says_what_may_be_wrong():
    model = Autoencoder()
    pairs = {"r": (rz.monitor.input_of("encoder"), "decoder")}
    monitor = rz.Monitor(model, "act", [rz.monitor.Norm()], pairs=pairs, during="evaluation")
    model.eval().act.forward = lambda x: x
    model.act.register_forward_pre_hook(lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        model(batches()[0])
    assert "act         0      -     -" in str(monitor.report())
    site, pair = notes(monitor)
    assert site.startswith("act: no sample was seen in evaluation; is it called by the forward, as")
    assert pair.startswith("r: no sample was seen in evaluation; do both sides run within one for")


def test_every_and_any_mode_are_named():
    monitor = rz.Monitor(Autoencoder(), "act", every=10, during="always")
    assert "seen in any mode, of which every 10th forward is read;" in notes(monitor)[0]


@pytest.mark.parametrize("wrong", [torch.nan, torch.inf])
def test_what_is_not_finite_is_noted(wrong):
    model = nn.Sequential(nn.Identity())
    monitor = rz.Monitor(model, "0", [rz.monitor.ActiveUnits(), rz.monitor.Norm()])
    model(torch.tensor([[1.0, wrong]]))
    assert notes(monitor) == ["0: norm not finite"]


def test_a_saturated_site_is_noted():
    model = nn.Sequential(nn.Sigmoid())
    monitor = rz.Monitor(model, "0", [rz.monitor.Saturation.of_sigmoid()])
    model(torch.tensor([[9.0, -9.0, 0.0]]))
    assert notes(monitor) == ["0: 66.7% of the elements are where the function is flat"]


def test_dead_units_of_late_are_noted():
    model = nn.Sequential(nn.Identity())
    monitor = rz.Monitor(model, "0", [rz.monitor.DeadUnits(2)])
    model(torch.tensor([[1.0, 1.0], [0.0, 1.0], [0.0, 0.0]]))
    assert notes(monitor) == ["0: 1 of 2 units were silent on the last 2 of 3 samples"]


def test_samples_of_unequal_width_have_their_mean():
    model = nn.Sequential(nn.Identity())
    monitor = rz.Monitor(model, "0", [rz.monitor.ActiveUnits()])
    model(torch.ones(1, 3))
    model(torch.ones(1, 6))
    assert str(monitor.report()).splitlines()[-1].split() == ["0", "2", "4.5", "4.5"]


def test_a_report_is_a_record_of_its_moment():
    model = Autoencoder()
    monitor = rz.Monitor(model, "act")
    before = monitor.report()
    model(batches()[0])
    assert before.rows[0].samples == 0
    assert monitor.report().rows[0].samples == 5
