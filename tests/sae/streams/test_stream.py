"""The order of a stream, how it resumes, and that the model stays as it was."""

import copy
import io
import random

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from regularizers.errors import (
    ConfigurationError,
    DataError,
    OutputError,
    SelectionError,
    ShapeError,
)
from regularizers.sae.streams import activations
from sae.streams.cells import Tokens, all_equal, sorted_rows, text


@pytest.mark.parametrize(
    ("buffer", "size"), [(None, 4), (0, 4), (10, 5), (16, 4), (24, 3), (37, 37)]
)
def test_every_row_is_given_once_an_epoch(buffer, size):
    data = torch.arange(74.0).reshape(37, 2).split(6)
    stream = activations(nn.Identity(), "", data, batch_size=size, buffer=buffer)
    first, second = list(stream), list(stream)
    assert sorted_rows(first) == sorted_rows(second) == sorted_rows(data)
    assert {len(batch) for batch in first[:-1]} <= {size}
    assert all_equal(first, second) == (buffer == 0)
    again = activations(nn.Identity(), "", data, batch_size=size, buffer=buffer)
    assert all_equal(list(again), first)
    stream.set_epoch(0)
    assert all_equal(list(stream), first)


def test_half_of_the_buffer_is_given_at_a_time():
    data = torch.arange(400.0).reshape(400, 1).split(10)
    stream = activations(nn.Identity(), "", data, batch_size=5, buffer=40)
    rows = torch.cat(list(stream))[:, 0]
    # of the first 20 none is from beyond the buffer, and each further 20 may come from 20 more
    for start in range(0, 400, 20):
        assert rows[start : start + 20].max() < start + 40
    assert rows[:20].max() > 25  # shuffled through all of it
    assert max(abs(rows - torch.arange(400))) > 30  # some stay for a while
    held, places = list(range(40)), []
    for start in range(0, 100, 20):
        given = rows[start : start + 20].long().tolist()
        places.append(tuple(held.index(row) for row in given))
        held = [row for row in held if row not in given] + [*range(start + 40, start + 60)]
    assert len(set(places)) == len(places)  # each filling has an order of its own


def test_rows_of_a_large_buffer_are_moved_in_parts():
    data = torch.arange(70_000.0).reshape(-1, 1).split(9_000)
    rows = torch.cat(list(activations(nn.Identity(), "", data, batch_size=5_000, buffer=50_000)))
    assert torch.equal(rows.sort(dim=0).values, torch.cat(data))


@pytest.mark.parametrize("buffer", [0, 10, None])
def test_a_stream_resumes_to_the_bit(buffer):
    model, data = Tokens(), text(8)

    def stream():
        return activations(model, ["blocks.*", "head"], data, batch_size=5, buffer=buffer)

    whole = stream()
    expected = [*whole, *whole]
    chance = random.Random(3)
    for stop in chance.sample(range(len(expected)), 4):
        broken = stream()
        batches = iter(broken)
        given = [next(batches, None) or next(batches := iter(broken)) for _ in range(stop)]
        saved = io.BytesIO()
        torch.save(broken.state_dict(), saved)
        saved.seek(0)
        next(batches, None)  # what goes on with the first changes nothing in what was saved
        resumed = stream()
        resumed.load_state_dict(torch.load(saved))
        rest = [*resumed, *resumed][: len(expected) - stop]
        assert all_equal([*given, *rest], expected), stop


def test_a_loop_that_was_left_begins_anew():
    stream = activations(nn.Identity(), "", torch.randn(20, 2).split(5), batch_size=4, buffer=8)
    first = next(iter(stream))
    assert torch.equal(next(iter(stream)), first)


def test_a_state_of_other_settings_is_refused():
    data = torch.randn(20, 2).split(5)
    state = activations(nn.Identity(), "", data, batch_size=4).state_dict()
    other = activations(nn.Identity(), "", data, batch_size=5)
    with pytest.raises(ConfigurationError, match=r"batch_size: .* with 4, here it is 5"):
        other.load_state_dict(state)
    with pytest.raises(ConfigurationError, match=r"of an ActivationStream returned, .* of model"):
        other.load_state_dict({"model": 1})
    assert len(list(other)) == 4


def test_data_that_became_shorter_is_refused():
    data = list(torch.randn(20, 2).split(5))
    stream = activations(nn.Identity(), "", data, batch_size=4, buffer=0)
    next(iter(stream))
    state = stream.state_dict()
    shorter = activations(nn.Identity(), "", data[:1], batch_size=4, buffer=0)
    shorter.load_state_dict(state)
    with pytest.raises(DataError, match="position was saved with, 2 or more, got 1"):
        list(shorter)


class Breaks(nn.Module):
    """A module that raises at the third forward."""

    calls = 0

    def forward(self, x):
        self.calls += 1
        if self.calls == 3:
            raise ArithmeticError
        assert not torch.is_grad_enabled()
        return x


def modes(model):
    return [m.training for m in model.modules()]


def test_the_model_is_as_before_in_the_loop_after_it_and_on_errors():
    model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Dropout(0.5), Breaks()).train()
    model[1].eval()
    before, state = modes(model), copy.deepcopy(model.state_dict())
    stream = activations(model, "0", torch.randn(20, 2).split(5), batch_size=4, buffer=0)
    batches = iter(stream)
    next(batches)
    assert modes(model) == before
    assert torch.is_grad_enabled()
    assert torch.backends.mha.get_fastpath_enabled()
    with pytest.raises(ArithmeticError):
        list(batches)
    assert modes(model) == before
    assert all(not m._forward_hooks for m in model.modules())
    assert all(torch.equal(x, state[name]) for name, x in model.state_dict().items())


def test_a_data_loader_and_a_module_without_parameters():
    data = DataLoader(TensorDataset(torch.randn(12, 3)), batch_size=5)
    stream = activations(nn.Identity(), "", data, batch_size=12)
    assert sorted_rows(stream) == sorted(data.dataset.tensors[0].tolist())


ids = [torch.randint(0, 11, (4, 6))]
x = [torch.randn(4, 6)]


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"where": "blocks.9"}, SelectionError, "nearest names: blocks"),
        ({"data": iter(ids)}, ConfigurationError, "used up after one"),
        ({"data": ids[0]}, ConfigurationError, r"got a Tensor; .*split"),
        ({"mask": 3}, ConfigurationError, "mask: expected a function of a batch"),
        ({"exclude_tokens": ["pad"]}, ConfigurationError, "token ids, which are integers"),
        ({"batch_size": 0}, ConfigurationError, "batch_size: expected an integer of 1 or more"),
        ({"buffer": -1}, ConfigurationError, "buffer: expected an integer of 0 or more"),
        ({"channel_axis": 1.0}, ConfigurationError, "channel_axis: expected an integer"),
        ({"forward": 1}, ConfigurationError, "forward: expected a function"),
    ],
)
def test_a_bad_setting_is_refused_at_once(settings, error, message):
    with pytest.raises(error, match=message):
        activations(Tokens(), **{"where": "embed", "data": ids} | settings)


class Floor(nn.Module):
    def forward(self, x):
        return x.long()


shared = nn.Linear(6, 6)


@pytest.mark.parametrize(
    ("model", "data", "settings", "error", "message"),
    [
        (nn.Sequential(nn.Identity(), Floor()), x, {}, OutputError, "1: .*real floating type"),
        (nn.Sequential(nn.Identity(), nn.Threshold(9, 2)), x, {}, DataError, "1: .* 4 equal rows"),
        (nn.Sequential(nn.Identity(), nn.Identity()), [x[0] / 0], {}, DataError, "1: .*24 NaN or"),
        (nn.Sequential(shared, shared), x, {"where": "0"}, OutputError, "0: .*ran twice"),
        (nn.Sequential(nn.Identity(), nn.Identity()), [], {}, DataError, "no row .* in 0 batches"),
        (
            nn.Sequential(nn.Identity(), nn.Identity()),
            x,
            {"mask": lambda batch: torch.zeros(4, dtype=torch.bool)},
            DataError,
            "no row that counts in 1 batches; check the data, mask=",
        ),
        (
            nn.Sequential(nn.Identity(), nn.Identity()),
            x,
            {"mask": lambda batch: torch.ones(4, 6, dtype=torch.bool)},
            ShapeError,
            r"1: mask: .*\(4,\) of \(batch, tokens\), got \(4, 6\)",
        ),
        (
            nn.Sequential(nn.Identity(), nn.Identity()),
            x,
            {"mask": lambda batch: torch.ones(4)},
            DataError,
            "mask: expected a boolean tensor",
        ),
        (
            nn.Sequential(nn.Identity(), nn.Identity()),
            x,
            {"exclude_tokens": [1]},
            DataError,
            "exclude_tokens: expected a batch with 'input_ids'",
        ),
        (
            nn.Sequential(nn.Identity(), nn.Identity()),
            x,
            {"forward": lambda model, batch: model[0](batch)},
            OutputError,
            "1: the module did not run",
        ),
        (
            nn.Sequential(nn.Identity(), nn.Identity()),
            [x[0], x[0][:, :5]],
            {},
            ShapeError,
            "1: .*6",
        ),
        (
            Tokens(),
            [text()[0] | {"decoder_input_ids": ids[0]}],
            {"where": "embed"},
            ConfigurationError,
            "mask: .*'decoder_input_ids'; say whose",
        ),
    ],
)
def test_what_cannot_be_read_raises_and_names_the_site(model, data, settings, error, message):
    stream = activations(model, **{"where": "1", "data": data} | settings)
    with pytest.raises(error, match=message):
        list(stream)
