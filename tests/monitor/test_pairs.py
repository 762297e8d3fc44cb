"""A target and its reconstruction, read in one forward."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_sequence

import regularizers as rz
from monitor import oracles
from monitor.helpers import Autoencoder, batches, sparse
from regularizers.errors import OutputError, ShapeError

input_of, output_of = rz.monitor.input_of, rz.monitor.output_of


def expected(pair: str, x: Tensor, made: Tensor) -> dict[str, float]:
    x, made = x.detach().numpy(), made.detach().numpy()
    both = oracles.explained_variance(x, made) | oracles.variance_unexplained(x, made)
    return {f"{pair}/{key}": pytest.approx(value, rel=1e-12) for key, value in both.items()}


@pytest.mark.parametrize("target", [input_of("encoder"), input_of(""), input_of(nn.Module)][:2])
@pytest.mark.parametrize("made", ["decoder", output_of("decoder"), ""])
def test_an_input_and_its_reconstruction(target, made):
    model = Autoencoder()
    monitor = rz.Monitor(model, pairs={"r": (target, made)})
    outputs = [model(x) for x in batches()]
    assert monitor.as_dict() == expected("r", torch.cat(batches()), torch.cat(outputs))


def test_a_target_that_is_changed_in_place_later_was_read_before():
    model = Autoencoder()
    monitor = rz.Monitor(model, pairs={"act": ("encoder", "act")})
    for x in batches():
        model(x)
    x = torch.cat(batches())
    before = x @ model.encoder.weight.T + model.encoder.bias
    assert monitor.as_dict() == expected("act", before, before.clamp(min=0))


def test_a_target_may_come_after_its_reconstruction():
    model = Autoencoder()
    monitor = rz.Monitor(model, pairs={"r": ("decoder", input_of("encoder"))})
    outputs = [model(x) for x in batches()]
    assert monitor.as_dict() == expected("r", torch.cat(outputs), torch.cat(batches()))


def test_sites_and_pairs_beside_each_other():
    model = Autoencoder()
    metrics = [rz.monitor.ActiveUnits(), rz.monitor.ExplainedVariance()]
    monitor = rz.Monitor(model, "act", metrics, pairs={"r": (input_of("encoder"), "decoder")})
    model(batches()[0])
    assert list(monitor.as_dict()) == [
        "act/active_units",
        "act/active_fraction",
        "r/explained_variance",
    ]


def test_parts_called_outside_of_one_forward_are_no_pair():
    model = Autoencoder()
    monitor = rz.Monitor(model, pairs={"r": (input_of("encoder"), "decoder")})
    model.decoder(model.encoder(batches()[0]))
    assert all(value != value for value in monitor.as_dict().values())
    x = batches()[2]
    model.encoder(batches()[0])
    output = model(x)
    assert monitor.as_dict() == expected("r", x, output)


class Last(nn.Module):
    """Only its last step is decoded."""

    def __init__(self) -> None:
        super().__init__()
        self.step, self.decode = nn.Identity(), nn.Linear(4, 4).double()

    def forward(self, x: Tensor, decode: bool = True) -> Tensor:
        for _ in range(3):
            x = self.step(x + 1)
        return self.decode(x) if decode else x


def test_of_several_targets_the_last_before_the_reconstruction_is_meant():
    model, x = Last(), batches()[0]
    monitor = rz.Monitor(model, pairs={"r": ("step", "decode")})
    output = model(x)
    assert monitor.as_dict() == expected("r", x + 3, output)


def test_a_forward_without_the_other_side_counts_nothing_and_leaves_nothing():
    model, x = Last(), batches()[0]
    monitor = rz.Monitor(model, pairs={"r": ("step", "decode")})
    model(x, decode=False)
    model.decode(x)
    assert all(value != value for value in monitor.as_dict().values())


class Named(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = Inner()

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return self.inner(y.long(), x, extra={"deep": [y]}, plain=y)


class Inner(nn.Module):
    def forward(self, tokens: Tensor, x: Tensor, *, extra: dict, plain: Tensor) -> Tensor:
        return x + plain


@pytest.mark.parametrize(
    ("select", "which"),
    [(1, 0), ("plain", 1), (lambda *args, extra, **_: extra["deep"][0], 1)],
    ids=["place", "name", "function"],
)
def test_which_argument_is_meant(select, which):
    model, inputs = Named(), (sparse(9, 4), sparse(9, 4, seed=1))
    monitor = rz.Monitor(model, pairs={"r": (input_of("inner", select=select), "inner")})
    output = model(*inputs)
    assert monitor.as_dict() == expected("r", inputs[which], output)


@pytest.mark.parametrize(
    ("select", "message"),
    [
        (None, r"expected an input that is a tensor of a real floating type, got Tensor.* int64; "),
        ("extra", r"expected an input .* got dict\(deep=list\(.*; say which of \(Tensor.*plain="),
        (2, r"select=2 finds nothing in the input, which is \(Tensor\[9, 4\] int64, .*IndexError"),
        ("x", r"select='x' finds nothing in the input, .* extra=dict\(.*KeyError"),
    ],
)
def test_an_argument_that_cannot_be_read_raises(select, message):
    model = Named()
    _monitor = rz.Monitor(model, pairs={"r": (input_of("inner", select=select), "inner")})
    with pytest.raises(OutputError, match=f"^r: {message}"):
        model(sparse(9, 4), sparse(9, 4))


def test_two_shapes_raise_and_name_the_pair():
    model = Autoencoder()
    _monitor = rz.Monitor(model, pairs={"r": ("encoder", "decoder")})
    with pytest.raises(ShapeError, match=r"^r: expected a .* its target, \(5, 6\), got \(5, 4\)"):
        model(batches()[0])


def test_a_pair_of_packed_sequences_counts_no_padding():
    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.then = (nn.GRU(4, 4).double() for _ in range(2))

        def forward(self, x: object) -> object:
            return self.then(self.first(x)[0])[0]

    model = Model()
    monitor = rz.Monitor(model, pairs={"r": ("first", "then")})
    sequences = batches((2, 5, 3))
    model(pack_sequence(sequences, enforce_sorted=False))
    first = [nn.GRU.forward(model.first, x)[0] for x in sequences]
    then = [nn.GRU.forward(model.then, x)[0] for x in first]
    assert monitor.as_dict() == expected("r", torch.cat(first), torch.cat(then))


def test_what_a_side_is_written_as():
    assert str(input_of("encoder")) == "input of 'encoder'"
    assert repr(output_of("decoder", select=0)) == (
        "Source(kind='output', where='decoder', select=0)"
    )
