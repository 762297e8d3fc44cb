"""A monitor that reads another mode than the model runs in says so."""

import copy

import pytest
import torch

import regularizers as rz
from monitor.helpers import Autoencoder, batches

PAIRS = {"r": (rz.monitor.input_of("encoder"), "decoder")}


def notes(monitor: rz.Monitor) -> list[str]:
    return list(monitor.report().notes)


@pytest.mark.parametrize(
    ("during", "other"), [("training", "evaluation"), ("evaluation", "training")]
)
def test_forwards_in_the_other_mode_alone_are_named(during, other):
    model = Autoencoder().train(other == "training")
    monitor = rz.Monitor(model, "act", pairs=PAIRS, during=during)
    for x in batches():
        model(x)
    expected = (
        f"no sample was seen in {during}; the model ran only in {other} mode (3 forwards); "
        f'say Monitor(..., during="{other}")'
    )
    assert notes(monitor) == [f"act: {expected}", f"r: {expected}"]


def test_one_forward_is_one():
    model = Autoencoder().eval()
    monitor = rz.Monitor(model, "act")
    model(batches()[0])
    assert "(1 forward);" in notes(monitor)[0]


def test_calls_outside_of_the_models_forward_are_counted_at_their_site():
    model = Autoencoder().eval()
    monitor = rz.Monitor(model, ["encoder", "act"])
    for x in batches():
        model.act(model.encoder(x))
    assert "(3 forwards);" in notes(monitor)[0]


def test_a_forward_that_was_read_is_enough():
    model = Autoencoder()
    model.unused = torch.nn.ReLU()
    monitor = rz.Monitor(model, ["act", "unused"])
    model(batches()[0])
    model.eval()(batches()[0])
    (note,) = [note for note in notes(monitor) if note.startswith("unused")]
    assert "is it called by the forward" in note


def test_a_reset_forgets_the_modes_too():
    model = Autoencoder()
    monitor = rz.Monitor(model, "act")
    model(batches()[0])
    monitor.reset()
    model.eval()(batches()[0])
    assert "only in evaluation mode (1 forward)" in notes(monitor)[0]
    monitor.reset()
    assert "is it called by the forward" in notes(monitor)[0]


def test_a_copy_has_no_forwards():
    model = Autoencoder().eval()
    monitor = rz.Monitor(model, "act")
    model(batches()[0])
    twin = copy.deepcopy(monitor)
    assert "is it called by the forward" in notes(twin)[0]
    twin.reset()


def test_always_misses_none():
    model = Autoencoder().eval()
    monitor = rz.Monitor(model, "act", during="always")
    model(batches()[0])
    assert not any("no sample" in note for note in notes(monitor))
    assert monitor.as_dict()["act/active_units"] == (
        (model.code(batches()[0]) > 0).sum(dim=1).double().mean().item()
    )
