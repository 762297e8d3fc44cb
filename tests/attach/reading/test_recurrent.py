"""Recurrent modules say themselves which axis is the batch, and which steps are padding."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pack_sequence

import regularizers as rz
from regularizers.errors import OutputError

LAYERS = [nn.RNN, nn.LSTM, nn.GRU]
LENGTHS = [2, 5, 3]


def layer(make, **options) -> nn.Module:
    torch.manual_seed(0)
    return make(3, 4, **options).double()


def sequences() -> list[Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(n, 3, dtype=torch.float64, generator=generator) for n in LENGTHS]


def loss_and_gradients(module: nn.Module, value: Tensor) -> tuple[Tensor, ...]:
    return value.detach(), *torch.autograd.grad(value, tuple(module.parameters()))


def penalty(module: nn.Module, penalty: rz.Penalty, *inputs, **options) -> tuple[Tensor, ...]:
    reg = rz.Regularization(module, [rz.activity(penalty, where="", **options)])
    module(*inputs)
    value = reg.penalty()
    reg.detach()
    return loss_and_gradients(module, value)


def states(module: nn.Module, x: Tensor) -> Tensor:
    """Return the outputs for one sequence (time, features)."""
    return module(x)[0]


@pytest.mark.parametrize("make", LAYERS)
@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("options", [{}, {"bidirectional": True}, {"num_layers": 2}], ids=str)
def test_the_batch_is_averaged_whichever_axis_it_is(make, batch_first, options):
    module = layer(make, batch_first=batch_first, **options)
    samples = [torch.randn(5, 3, dtype=torch.float64) for _ in range(2)]
    actual = penalty(module, rz.L2Norm(1.0), torch.stack(samples, dim=0 if batch_first else 1))
    norms = [states(module, x).square().sum().sqrt() for x in samples]
    torch.testing.assert_close(actual, loss_and_gradients(module, torch.stack(norms).mean()))


@pytest.mark.parametrize("make", LAYERS)
@pytest.mark.parametrize("batch_first", [True, False])
def test_one_sequence_without_a_batch_axis_is_a_batch_of_one(make, batch_first):
    module = layer(make, batch_first=batch_first)
    x = sequences()[1]
    actual = penalty(module, rz.L1(1.0), x)
    torch.testing.assert_close(actual, loss_and_gradients(module, states(module, x).abs().sum()))


@pytest.mark.parametrize("make", LAYERS)
@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("kind", ["sequence", "padded"])
def test_packed_sequences_count_what_is_in_them(make, batch_first, kind):
    module = layer(make, batch_first=batch_first, bidirectional=True)
    packed = pack_sequence(sequences(), enforce_sorted=False)
    if kind == "padded":
        padded = nn.utils.rnn.pad_sequence(sequences(), padding_value=float("nan"))
        packed = pack_padded_sequence(padded, torch.tensor(LENGTHS), enforce_sorted=False)
    actual = penalty(module, rz.L1(1.0), packed)
    sums = [states(module, x).abs().sum() for x in sequences()]
    torch.testing.assert_close(actual, loss_and_gradients(module, torch.stack(sums).sum() / 3))


@pytest.mark.parametrize("make", LAYERS)
def test_other_penalties_and_reductions_of_packed_sequences(make):
    module = layer(make)
    packed = pack_sequence(sequences(), enforce_sorted=False)

    outputs = [states(module, x) for x in sequences()]
    everything = torch.cat(outputs)
    mean = loss_and_gradients(module, everything.square().mean())
    torch.testing.assert_close(penalty(module, rz.L2Squared(1.0, reduce="mean"), packed), mean)

    norms = [states(module, x).square().sum().sqrt() for x in sequences()]
    norm = loss_and_gradients(module, torch.stack(norms).mean())
    torch.testing.assert_close(penalty(module, rz.L2Norm(1.0), packed), norm)


def test_a_batch_axis_that_agrees_with_the_layer_changes_nothing_for_packed_sequences():
    module = layer(nn.GRU, batch_first=True)
    packed = pack_sequence(sequences(), enforce_sorted=False)
    actual = penalty(module, rz.L1(1.0), packed, batch_axis=0)
    sums = [states(module, x).abs().sum() for x in sequences()]
    torch.testing.assert_close(actual, loss_and_gradients(module, torch.stack(sums).mean()))


@pytest.mark.parametrize("make", [nn.RNNCell, nn.LSTMCell, nn.GRUCell])
@pytest.mark.parametrize("rows", [None, 5])
def test_cells(make, rows):
    module = layer(make)
    x = sequences()[1] if rows else sequences()[1][0]
    actual = penalty(module, rz.L1(1.0), x)
    output = module(x)
    hidden = output[0] if make is nn.LSTMCell else output
    expected = hidden.abs().sum() / (rows or 1)
    torch.testing.assert_close(actual, loss_and_gradients(module, expected))


def test_a_cell_stepped_through_time_counts_each_step():
    class Stepped(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cell = layer(nn.GRUCell)

        def forward(self, x: Tensor) -> Tensor:
            h = None
            for step in x:
                h = self.cell(step, h)
            return h

    model, x = Stepped(), torch.randn(4, 2, 3, dtype=torch.float64)
    reg = rz.Regularization(model, [rz.activity(rz.L1(1.0), where="cell")])
    model(x)
    value = loss_and_gradients(model, reg.penalty())
    h, by_hand = torch.zeros(2, 4, dtype=torch.float64), 0
    for step in x:
        h = model.cell(step, h)
        by_hand = by_hand + h.abs().sum() / 2
    torch.testing.assert_close(value, loss_and_gradients(model, by_hand))


@pytest.mark.parametrize("batch_first", [True, False])
def test_selecting_the_states_is_the_same_as_the_default(batch_first):
    module = layer(nn.LSTM, batch_first=batch_first)
    x = torch.randn(5, 2, 3, dtype=torch.float64)
    samples = 5 if batch_first else 2
    actual = penalty(module, rz.L1(1.0), x, select=0)
    by_hand = loss_and_gradients(module, module(x)[0].abs().sum() / samples)
    torch.testing.assert_close(actual, by_hand)


def test_the_last_hidden_state_can_be_selected():
    module = nn.GRU(3, 4, num_layers=2)
    reg = rz.Regularization(
        module, [rz.activity(rz.L1(1.0), where="", select=1, batch_axis=1, reduce="batch_mean")]
    )
    _, hidden = module(torch.randn(5, 2, 3))
    torch.testing.assert_close(reg.penalty(), hidden.abs().sum() / 2)


def test_a_packed_output_of_another_module_raises_and_is_shown():
    model = nn.Sequential(nn.Identity())
    reg = rz.Regularization(model, [rz.activity(rz.L1(1.0), where="0")])
    with pytest.raises(OutputError, match=r"got PackedSequence\(Tensor\[10, 3\] float64"):
        model(pack_sequence(sequences(), enforce_sorted=False))
    assert reg.penalties() == {}


class StatesAlone(nn.GRU):
    """A layer that keeps its last state to itself."""

    def forward(self, x, hx=None):
        return super().forward(x, hx)[0]


@pytest.mark.parametrize("rows", [2, 5])  # two could be taken for the pair
@pytest.mark.parametrize("delivery", ["collect", "inject"])
def test_a_recurrent_layer_that_returns_no_pair_is_refused(delivery, rows):
    module = layer(StatesAlone, batch_first=True)
    rule = rz.activity(rz.L2Squared(1.0), where="")
    reg = rz.Regularization(module, [rule], delivery=delivery)
    with pytest.raises(OutputError, match=r"expected the pair .* got Tensor.* select=lambda y: y"):
        module(torch.randn(rows, 7, 3, dtype=torch.float64))
    reg.detach()


@pytest.mark.parametrize("rows", [2, 5])
def test_the_part_that_is_meant_of_another_output_can_be_said(rows):
    module = layer(StatesAlone, batch_first=True)
    rule = rz.activity(rz.L2Squared(1.0), where="", select=lambda y: y, batch_axis=0)
    reg = rz.Regularization(module, [rule])
    states = module(torch.randn(rows, 7, 3, dtype=torch.float64))
    torch.testing.assert_close(reg.penalty(), states.square().sum() / rows)


class Turning(nn.GRU):
    """A layer whose `batch_first` is a property."""

    @property
    def batch_first(self):
        return self.__dict__["_turned"]

    @batch_first.setter
    def batch_first(self, value):
        self.__dict__["_turned"] = value


def test_a_layer_may_be_turned_between_forwards():
    module = layer(Turning)
    reg = rz.Regularization(module, [rz.activity(rz.L1(1.0), where="")])
    x = torch.randn(5, 7, 3, dtype=torch.float64)
    for batch_first, samples in ((False, 7), (True, 5), (False, 7)):
        module.batch_first = batch_first
        states, _ = module(x)
        torch.testing.assert_close(reg.penalty(), states.abs().sum() / samples)
