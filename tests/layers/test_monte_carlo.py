"""Dropout active in evaluation, everything else as in evaluation, and every mode given back."""

import copy

import pytest
import torch
from torch import nn

import regularizers as rz
from regularizers.errors import ConfigurationError, SelectionError
from regularizers.layers import monte_carlo_dropout


def modes(model):
    return [module.training for module in model.modules()]


def varies(model, *inputs):
    """Return whether two forwards differ."""
    with torch.no_grad():
        one, other = model(*inputs), model(*inputs)
    one, other = (y[0] if isinstance(y, tuple) else y for y in (one, other))
    return not torch.equal(one, other)


DROPOUTS = [
    *(nn.Dropout(0.5), nn.Dropout1d(0.5), nn.Dropout2d(0.5), nn.Dropout3d(0.5)),
    *(nn.AlphaDropout(0.5), nn.FeatureAlphaDropout(0.5)),
    *(rz.layers.DropPath(0.5), rz.layers.GaussianDropout(0.5), rz.layers.DropBlock2d(0.5, 2)),
    *(rz.layers.SharedDropout(0.5, -1), rz.layers.GaussianNoise(0.5), rz.layers.ShakeDrop(0.5)),
]


@pytest.mark.parametrize("dropout", DROPOUTS, ids=lambda dropout: type(dropout).__name__)
@pytest.mark.parametrize("training", [False, True])
def test_every_dropout_is_active_and_batch_normalization_is_not(dropout, training):
    flat = isinstance(dropout, nn.Dropout1d)
    conv, norm = (nn.Conv1d, nn.BatchNorm1d) if flat else (nn.Conv2d, nn.BatchNorm2d)
    model = nn.Sequential(conv(2, 8, 1), norm(8), dropout).train(training)
    x = torch.randn(40, 2, 6) if flat else torch.randn(40, 2, 6, 6)
    before = copy.deepcopy(model.state_dict())
    with monte_carlo_dropout(model) as inside:
        assert inside is model
        assert modes(model) == [False, False, False, True]
        assert varies(model, x)
    assert modes(model) == [training] * 4
    torch.testing.assert_close(model.state_dict(), before, rtol=0, atol=0)


SEQUENCES = {
    "locked": (rz.layers.LockedDropout(0.5), torch.ones(5, 20, 3)),
    "weights": (rz.layers.WeightDrop(nn.LSTM(3, 4), ["weight_hh_l0"], 0.5), torch.ones(5, 2, 3)),
    "words": (
        rz.layers.EmbeddingDropout(nn.Embedding(50, 3), 0.5),
        torch.arange(40).reshape(20, 2),
    ),
}


@pytest.mark.parametrize(("dropout", "x"), SEQUENCES.values(), ids=SEQUENCES.keys())
def test_the_dropouts_of_sequences_are_active_and_what_they_wrap_is_not(dropout, x):
    model = nn.Sequential(dropout).eval()
    with monte_carlo_dropout(model):
        assert varies(model, x)
        assert [m for m in model.modules() if m.training] == [dropout]
    assert not varies(model, x)
    assert not any(modes(model))


def test_the_mean_of_the_draws_and_their_spread():
    # y = 2 m with m of 0 or 1: mean 1 and standard deviation 1
    with monte_carlo_dropout(nn.Dropout(0.5)) as model:
        draws = torch.stack([model(torch.ones(1000)) for _ in range(100)])
    assert abs(draws.mean() - 1) < 5 / 100_000**0.5
    assert abs(draws.std() - 1) < 0.01


def test_batch_normalization_uses_its_running_statistics():
    model = nn.Sequential(nn.BatchNorm1d(3), nn.Dropout(0.5))
    model[0].running_mean.fill_(5)
    with monte_carlo_dropout(model), torch.no_grad():
        y = model(torch.full((4, 3), 5.0))
    torch.testing.assert_close(y, torch.zeros(4, 3))


def test_mixed_modes_are_given_back_after_an_exception():
    model = nn.Sequential(nn.Linear(3, 3), nn.Sequential(nn.BatchNorm1d(3), nn.Dropout(0.5)))
    model[1].eval()
    model[1][0].train()
    before = modes(model)
    with pytest.raises(KeyError), monte_carlo_dropout(model):
        raise KeyError
    assert modes(model) == before


def test_nested_in_itself_and_around_a_training_step():
    model = nn.Sequential(nn.BatchNorm1d(3), nn.Dropout(0.5))
    with monte_carlo_dropout(model):
        outer = modes(model)
        with monte_carlo_dropout(model[1]):
            assert modes(model) == outer
        model.train()
        with monte_carlo_dropout(model):
            assert modes(model) == outer
        assert modes(model) == [True] * 3
    assert modes(model) == [True] * 3


def test_it_can_decorate_a_function():
    model = nn.Dropout(0.5).eval()

    @monte_carlo_dropout(model)
    def predict():
        return varies(model, torch.ones(100))

    assert predict()
    assert predict()
    assert not model.training


class Overridden(nn.Linear):
    """A layer whose train() does more than change the mode, as those do that merge weights."""

    def train(self, mode=True):
        raise AssertionError("train() was called")


def test_modes_are_set_without_side_effects():
    model = nn.Sequential(Overridden(3, 3), nn.Dropout(0.5))
    with monte_carlo_dropout(model):
        assert modes(model) == [False, False, True]
    assert modes(model) == [True, True, True]


RECURRENT = [
    nn.LSTM(3, 4, num_layers=2, dropout=0.5),
    nn.GRU(3, 4, num_layers=2, dropout=0.5),
    nn.RNN(3, 4, num_layers=2, dropout=0.5),
]


@pytest.mark.parametrize("rnn", RECURRENT, ids=lambda rnn: type(rnn).__name__)
def test_recurrent_dropout_is_active(rnn):
    x = torch.randn(5, 2, 3)
    with monte_carlo_dropout(rnn.eval()):
        assert varies(rnn, x)
    assert not varies(rnn, x)


@pytest.mark.parametrize("batch_first", [False, True])
def test_attention_dropout_is_active(batch_first):
    attention = nn.MultiheadAttention(4, 2, dropout=0.5, batch_first=batch_first).eval()
    x = torch.randn(5, 2, 4)
    with monte_carlo_dropout(attention):
        assert varies(attention, x, x, x)
    assert not varies(attention, x, x, x)


def encoder(first=0.5, second=0.5):
    layers = [
        nn.TransformerEncoderLayer(8, 2, 16, dropout=rate, batch_first=True)
        for rate in (first, second)
    ]
    model = nn.TransformerEncoder(layers[0], 2)
    model.layers[1] = layers[1]
    return model.eval()


@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("rates", [(0.5, 0.5), (0, 0.5), (0.5, 0)])
def test_a_transformer_encoder_takes_no_fast_path_around_its_dropout(rates, padded):
    model, x = encoder(*rates), torch.randn(2, 5, 8)
    padding = torch.tensor([[False] * 5, [False] * 3 + [True] * 2]) if padded else None
    with monte_carlo_dropout(model):
        assert varies(model, x, None, padding)
        assert not any(m.training for m in model.modules() if isinstance(m, nn.LayerNorm))
    assert not any(modes(model))


def test_only_the_dropouts_inside_attention_are_active_too():
    # feed-forward and residual dropout off: what varies is the attention's own
    model = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.5, batch_first=True).eval()
    for module in model.children():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    with monte_carlo_dropout(model):
        assert varies(model, torch.randn(2, 5, 8))


def test_a_decoder_varies():
    model = nn.TransformerDecoderLayer(8, 2, 16, dropout=0.5, batch_first=True).eval()
    with monte_carlo_dropout(model):
        assert varies(model, torch.randn(2, 5, 8), torch.randn(2, 4, 8))


def test_a_compiled_model_varies():
    torch.compiler.reset()
    model = nn.Sequential(nn.BatchNorm1d(3), nn.Dropout(0.5)).eval()
    compiled, x = torch.compile(model, backend="eager", fullgraph=True), torch.randn(4, 3)
    assert not varies(compiled, x)
    with monte_carlo_dropout(compiled):
        assert varies(compiled, x)
        assert modes(model) == [False, False, True]
    assert not varies(compiled, x)
    assert not any(modes(model))


class StochasticDepth(nn.Module):
    def forward(self, x):
        return x * (torch.rand(len(x), 1) < 0.5) if self.training else x


class Block(nn.Module):
    """Dropout called as a function, by the mode of the module that calls it."""

    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm1d(3)

    def forward(self, x):
        return nn.functional.dropout(self.norm(x), 0.5, self.training)


@pytest.mark.parametrize("kind", [StochasticDepth, Block])
@pytest.mark.parametrize("as_types", [lambda kind: kind, lambda kind: (kind, nn.Bilinear)])
def test_other_classes_that_drop(kind, as_types):
    model, x = nn.Sequential(nn.BatchNorm1d(3), kind()).eval(), torch.randn(20, 3)
    with monte_carlo_dropout(model, types=as_types(kind)):
        assert varies(model, x)
        assert not any(m.training for m in model.modules() if isinstance(m, nn.BatchNorm1d))
    assert not any(modes(model))


def test_a_model_without_dropout():
    start = r"^monte_carlo_dropout: expected a model with dropout of a rate above 0, got "
    end = r"add nn.Dropout, or name by types=\.\.\. a class that drops by its own mode$"
    with pytest.raises(SelectionError, match=rf"{start}Linear without any; {end}"):
        monte_carlo_dropout(nn.Linear(3, 3)).__enter__()
    model = nn.Sequential(nn.Dropout(0.0), rz.layers.DropPath(0.0)).train()
    match = rf"{start}Sequential without any \(the rate of each DropPath, Dropout is 0\); {end}"
    with pytest.raises(SelectionError, match=match):
        monte_carlo_dropout(model).__enter__()
    assert modes(model) == [True] * 3
    match = rf"{start}Sequential without any; if StochasticDepth drops, name the class by types="
    with pytest.raises(SelectionError, match=match):
        monte_carlo_dropout(nn.Sequential(StochasticDepth())).__enter__()


def test_a_single_recurrent_layer_drops_nothing():
    with pytest.warns(UserWarning, match="dropout"):
        model = nn.LSTM(3, 4, num_layers=1, dropout=0.5)
    with pytest.raises(SelectionError, match=r"got LSTM without any; add nn\.Dropout"):
        monte_carlo_dropout(model).__enter__()


@pytest.mark.parametrize("types", [nn.Dropout(0.5), "Dropout", (nn.Dropout, int), None], ids=repr)
def test_types_that_are_no_classes(types):
    match = r"^types: expected a module class or a tuple of them, got .* of type (\w+)$"
    with pytest.raises(ConfigurationError, match=match):
        monte_carlo_dropout(nn.Dropout(0.5), types=types).__enter__()
