"""A monitor reads the sites of a model and leaves the model as it is."""

import gc
import weakref

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_sequence

import regularizers as rz
from attach.helpers import hook_dicts
from monitor import oracles
from monitor.helpers import Autoencoder, batches, sparse
from regularizers.errors import (
    CollectionError,
    ConfigurationError,
    OutputError,
    SelectionError,
    ShapeError,
)

ACTIVE = [rz.monitor.ActiveUnits()]


def seen(monitor: rz.Monitor, site: str) -> int:
    """Return how many samples the report has of a site."""
    (row,) = [row for row in monitor.report().rows if row.site == site]
    return row.samples


def test_the_numbers_are_those_of_the_activations():
    model = Autoencoder()
    metrics = [metric for metric, _ in oracles.OF_ONE.values() if "0.7" not in repr(metric)]
    monitor = rz.Monitor(model, "act", metrics)
    for x in batches():
        model(x)
    code = model.code(torch.cat(batches())).detach().numpy()
    expected: dict[str, float] = {}
    for metric in metrics:
        oracle = next(o for m, o in oracles.OF_ONE.values() if m is metric)
        again = "/2" if repr(metric) == "DeadUnits(after=5, threshold=0.0)" else ""
        expected |= {f"act/{key}{again}": value for key, value in oracle(code).items()}
    assert monitor.as_dict() == pytest.approx(expected, rel=1e-12)


def test_the_default_metrics():
    model = Autoencoder()
    monitor = rz.Monitor(model, ["encoder", "act"])
    model(batches()[0])
    keys = ["active_units", "active_fraction", "dead_units", "dead_fraction"]
    keys += ["mean_activation", "norm", "root_mean_square"]
    assert list(monitor.as_dict()) == [f"{site}/{k}" for site in ("encoder", "act") for k in keys]
    assert {type(value) for value in monitor.as_dict().values()} == {float}


def test_single_metrics_are_found_by_the_names_of_their_numbers():
    model = Autoencoder()
    monitor = rz.Monitor(model, "act", [rz.monitor.DeadUnits(), rz.monitor.DeadUnits(2)])
    model(torch.zeros(3, 4, dtype=torch.float64))
    code = model.code(torch.zeros(3, 4, dtype=torch.float64))
    assert list(monitor["act"]) == ["dead_units", "dead_units/2"]
    assert monitor["act"]["dead_units"].which().tolist() == (code == 0).all(dim=0).tolist()
    assert list(monitor.as_dict())[2:] == ["act/dead_units/2", "act/dead_fraction/2"]


@pytest.mark.parametrize("again", ["", "/2"])
def test_each_name_of_a_metric_and_its_class_find_it(again):
    monitor = rz.Monitor(Autoencoder(), "act", [rz.monitor.DeadUnits(), rz.monitor.DeadUnits(2)])
    found = monitor["act"]
    metric = found[f"dead_units{again}"]
    assert repr(metric) == repr(rz.monitor.DeadUnits(2 if again else None))
    assert found[f"dead_fraction{again}"] is found[f"DeadUnits{again}"] is metric
    assert found.get(f"DeadUnits{again}") is metric
    assert f"dead_fraction{again}" in found
    assert len(found) == 2


def test_a_metric_that_is_not_there_raises_and_names_those_that_are():
    found = rz.Monitor(Autoencoder(), "act", [rz.monitor.DeadUnits(), rz.monitor.Norm()])["act"]
    with pytest.raises(
        SelectionError, match=r"^act: expected one of 'dead_units', 'norm', got 'active_units'"
    ):
        found["active_units"]
    assert found.get("active_units") is None
    assert "active_units" not in found
    assert repr(found).startswith("{'dead_units': DeadUnits(")


def test_a_name_that_is_not_read_raises():
    monitor = rz.Monitor(Autoencoder(), "act", pairs={"r": ("encoder", "act")})
    with pytest.raises(SelectionError, match=r"^expected one of act, r, got 'encoder'"):
        monitor["encoder"]


def test_metrics_given_to_a_monitor_are_settings_and_are_not_filled():
    metric, model = rz.monitor.ActiveUnits(), Autoencoder()
    metric.update(sparse(3, 4))
    before = metric.value()
    monitor = rz.Monitor(model, ["encoder", "act"], [metric])
    assert monitor["act"]["active_units"].value() != before
    model(batches()[0])
    assert metric.value() == before
    assert monitor.as_dict()["encoder/active_units"] == 6


@pytest.mark.parametrize("where", ["", nn.ReLU, "act*", lambda module, name: name == "act"])
def test_a_where_is_written_as_in_rules(where):
    model = Autoencoder()
    monitor = rz.Monitor(model, where, ACTIVE)
    model(batches()[0])
    name = "model" if where == "" else "act"
    assert list(monitor.as_dict()) == [f"{name}/active_units", f"{name}/active_fraction"]
    assert seen(monitor, "(root)" if where == "" else "act") == 5


@pytest.mark.parametrize(("every", "read"), [(1, [0, 1, 2, 3, 4, 5, 6]), (3, [0, 3, 6]), (9, [0])])
def test_every_nth_forward_is_read(every, read):
    model, inputs = Autoencoder(), batches((1, 2, 3, 4, 5, 6, 7))
    monitor = rz.Monitor(model, "act", [rz.monitor.Norm()], every=every)
    for x in inputs:
        model(x)
    code = model.code(torch.cat([inputs[n] for n in read])).detach().numpy()
    expected = {f"act/{key}": value for key, value in oracles.norm(code).items()}
    assert monitor.as_dict() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("during", "samples"), [("training", 5 + 7), ("evaluation", 1), ("always", 5 + 1 + 7)]
)
@pytest.mark.parametrize("grad", [True, False])
def test_the_mode_says_which_forwards_are_read(during, samples, grad):
    model = Autoencoder()
    monitor = rz.Monitor(model, "act", ACTIVE, during=during)
    with torch.set_grad_enabled(grad):
        for x, training in zip(batches(), (True, False, True), strict=True):
            model.train(training)
            model(x)
    assert seen(monitor, "act") == samples


def test_forwards_in_the_other_mode_are_not_counted_by_every():
    model = Autoencoder()
    monitor = rz.Monitor(model, "act", ACTIVE, every=2)
    for n, x in enumerate(batches((1, 10, 100, 1000, 10_000))):
        model.train(n != 1)
        model(x)
    assert seen(monitor, "act") == 1 + 1000


def test_a_module_called_outside_of_the_models_forward_counts_its_own_calls():
    model = Autoencoder()
    monitor = rz.Monitor(model, ["encoder", "act"], ACTIVE, every=2)
    for x in batches((1, 10, 100)):
        model.act(model.encoder(x))
    model.act(model.encoder(batches()[0]))
    assert seen(monitor, "encoder") == seen(monitor, "act") == 1 + 100


def test_a_module_called_twice_in_one_forward_counts_twice():
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.act = nn.ReLU()

        def forward(self, x: Tensor) -> Tensor:
            return self.act(1 - self.act(x))

    model = Twice()
    monitor = rz.Monitor(model, "act", ACTIVE, every=2)
    for rows in (3, 4, 5):
        model(torch.ones(rows, 2))
    assert seen(monitor, "act") == 2 * (3 + 5)
    assert monitor.as_dict()["act/active_units"] == 1


def test_reset_forgets():
    model = Autoencoder()
    monitor = rz.Monitor(model, "act", pairs={"r": ("encoder", "act")})
    model(batches()[0])
    monitor.reset()
    assert all(value != value for value in monitor.as_dict().values())
    model(batches()[2])
    assert seen(monitor, "act") == seen(monitor, "r") == 7


def test_monitors_of_two_models_merge():
    first, then, together = Autoencoder(), Autoencoder(), Autoencoder()
    monitors = [rz.Monitor(model, "act") for model in (first, then, together)]
    for model, x in zip((first, then), (batches()[0], batches()[2]), strict=True):
        model(x)
        together(x)
    monitors[0].merge(monitors[1])
    assert monitors[0].as_dict() == pytest.approx(monitors[2].as_dict(), rel=1e-12)
    assert seen(monitors[0], "act") == 12


@pytest.mark.parametrize(
    ("where", "metrics"), [("encoder", ACTIVE), ("act", [rz.monitor.ActiveUnits(0.5)])]
)
def test_monitors_of_other_sites_or_metrics_do_not_merge(where, metrics):
    monitors = [rz.Monitor(Autoencoder(), "act", ACTIVE), rz.Monitor(Autoencoder(), where, metrics)]
    with pytest.raises(ConfigurationError, match=r"^merge: expected a monitor of the same sites"):
        monitors[0].merge(monitors[1])


def test_a_merge_that_is_refused_adds_nothing():
    wide, narrow = nn.Sequential(nn.Identity()), nn.Sequential(nn.Identity())
    monitors = [rz.Monitor(model, "0") for model in (wide, narrow)]
    wide(sparse(3, 5))
    narrow(sparse(3, 4))
    before = monitors[0].as_dict()
    with pytest.raises(ShapeError, match=r"^0: DeadUnits: expected 5 units, as before, got 4"):
        monitors[0].merge(monitors[1])
    assert monitors[0].as_dict() == before


@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("packed", [True, False])
def test_of_a_recurrent_layer_each_step_is_a_sample(batch_first, packed):
    rnn = nn.GRU(3, 4, batch_first=batch_first).double()
    with pytest.warns(UserWarning, match="output of GRU is hardly ever exactly 0"):
        monitor = rz.Monitor(rnn, "", [rz.monitor.Norm(), rz.monitor.DeadUnits()])
    outputs = []
    for lengths in ([2, 5, 3], [4, 4, 1]) if packed else ([5, 5], [2, 2]):
        inputs = [torch.randn(n, 3, dtype=torch.float64) for n in lengths]
        if packed:
            rnn(pack_sequence(inputs, enforce_sorted=False))
        else:
            rnn(torch.stack(inputs, dim=0 if batch_first else 1))
        outputs += [nn.GRU.forward(rnn, x)[0] for x in inputs]  # past the hooks
    states = torch.cat(outputs).detach().numpy()
    expected = oracles.norm(states) | oracles.dead_units(states)
    assert monitor.as_dict() == pytest.approx(
        {f"model/{key}": value for key, value in expected.items()}, rel=1e-12
    )


def test_a_batch_axis_is_that_of_the_monitor():
    model = nn.Sequential(nn.Identity())
    monitor = rz.Monitor(model, "0", [rz.monitor.DeadUnits()], batch_axis=(0, 1))
    for steps in (2, 7):
        model(sparse(3, steps, 5))
    assert monitor.as_dict()["0/dead_units"] == 1
    assert seen(monitor, "0") == 3 * 9


def test_an_error_names_the_site_and_the_metric():
    model = nn.Sequential(nn.Identity())
    _monitor = rz.Monitor(model, "0", [rz.monitor.DeadUnits()])
    model(sparse(3, 2, 5))
    with pytest.raises(ShapeError, match=r"^0: DeadUnits: expected 10 units, as before, got 35; "):
        model(sparse(3, 7, 5))


class Pairs(nn.Module):
    def forward(self, x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        return x.long(), {"code": x}


def test_select_takes_a_part_of_the_output():
    model = nn.Sequential(Pairs())
    monitor = rz.Monitor(model, "0", ACTIVE, select=lambda output: output[1]["code"])
    model(sparse(5, 4))
    assert (
        monitor.as_dict()["0/active_units"]
        == oracles.active_units(sparse(5, 4).numpy())["active_units"]
    )


def test_an_output_that_is_no_tensor_raises_and_is_shown():
    model = nn.Sequential(Pairs())
    _monitor = rz.Monitor(model, "0", ACTIVE)
    with pytest.raises(
        OutputError, match=r"^0: expected a tensor, got tuple\(Tensor\[5, 4\] int64"
    ):
        model(sparse(5, 4))


def test_outputs_gradients_and_state_are_bit_identical():
    model, x = Autoencoder(), batches()[0]

    def snapshot() -> list[Tensor]:
        output = model(x)
        gradients = torch.autograd.grad(output.square().sum(), tuple(model.parameters()))
        return [output, *gradients, *model.state_dict().values()]

    before, keys = snapshot(), list(model.state_dict())
    monitor = rz.Monitor(model, ["", "act"], pairs={"r": (rz.monitor.input_of(""), "decoder")})
    attached = snapshot()
    monitor.detach()
    for plain, watched, detached in zip(before, attached, snapshot(), strict=True):
        assert torch.equal(plain, watched)
        assert torch.equal(plain, detached)
    assert list(model.state_dict()) == keys


def test_the_output_is_the_very_tensor_the_module_returned():
    model = nn.Sequential(nn.Identity())
    _monitor = rz.Monitor(model, ["", "0"])
    x = torch.ones(2, 3, requires_grad=True)
    assert model(x) is x


def test_no_activation_is_kept_alive():
    model, alive = Autoencoder(), []
    model.encoder.register_forward_hook(lambda _m, _i, output: alive.append(weakref.ref(output)))
    _monitor = rz.Monitor(model, ["encoder", "act"], pairs={"r": ("encoder", "act")})
    model(batches()[0])
    model.encoder(batches()[0])
    gc.collect()
    assert [one() for one in alive] == [None, None]


def test_detaching_leaves_no_hook_and_keeps_the_numbers():
    model = Autoencoder()
    monitor = rz.Monitor(model, "act", pairs={"r": ("encoder", "act")})
    model(batches()[0])
    numbers = monitor.as_dict()
    monitor.detach()
    monitor.detach()
    assert not any(hook_dicts(model))
    model(batches()[1])
    assert monitor.as_dict() == numbers
    assert "was detached from its model" in repr(monitor)
    with pytest.raises(CollectionError, match="was detached"), monitor.mask(torch.ones(1).bool()):
        pass


def test_a_monitor_that_ends_takes_its_hooks_along():
    model = Autoencoder()
    with rz.Monitor(model, "act") as monitor:
        model(batches()[0])
    assert not any(hook_dicts(model))
    assert seen(monitor, "act") == 5
    monitor = rz.Monitor(model, "act")
    assert any(hook_dicts(model))
    del monitor
    gc.collect()
    assert not any(hook_dicts(model))


def test_a_regularization_and_two_monitors_live_side_by_side():
    model, x = Autoencoder(), batches()[0]
    reg = rz.Regularization(model, [rz.activity(rz.L1(1.0), where="act")])
    monitors = [rz.Monitor(model, "act", ACTIVE), rz.Monitor(model, "act", ACTIVE, every=2)]
    for _ in range(2):
        model(x)
        reg.penalty().backward()
    assert [seen(monitor, "act") for monitor in monitors] == [10, 5]


def test_a_forward_that_raises_does_not_disturb_the_next():
    model = Autoencoder()
    monitor = rz.Monitor(model, "act", ACTIVE, pairs={"r": ("encoder", "decoder")})
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        model(torch.ones(2, 3, dtype=torch.float64))
    handle = model.decoder.register_forward_pre_hook(lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        model(batches()[0])
    handle.remove()
    assert monitor._observer._sinks[-1]._pair._held == {}


def test_its_text_names_the_sites():
    model = Autoencoder()
    monitor = rz.Monitor(model, "act", pairs={"r": ("encoder", "act")})
    assert repr(monitor) == "<Monitor of act, r>"


def test_the_model_itself_is_found_by_a_name_every_logger_takes():
    model = Autoencoder()
    monitor = rz.Monitor(model, ["", "act"], ACTIVE * 2)
    model(batches()[0])
    assert list(monitor["model"]) == ["active_units", "active_units/2"]
    numbers = [f"{number}{again}" for again in ("", "/2") for number in ("units", "fraction")]
    assert list(monitor.as_dict()) == [f"{s}/active_{n}" for s in ("model", "act") for n in numbers]
    assert [row.site for row in monitor.report().rows] == ["(root)", "act"]


def test_a_child_called_model_is_not_taken_for_the_root():
    model = nn.Sequential()
    model.add_module("model", nn.ReLU())
    monitor = rz.Monitor(model, ["", "model"], ACTIVE)
    model(torch.ones(2, 3))
    assert monitor["model/2"]["active_units"].value() == 3
    assert len(monitor.as_dict()) == 4
    with pytest.raises(ConfigurationError, match="a site has the same name"):
        rz.Monitor(model, "", pairs={"model": ("", "model")})
