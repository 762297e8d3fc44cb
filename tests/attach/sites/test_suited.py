"""Penalties that mean little at a module of some type are said when they are attached."""

import warnings

import pytest
import torch
from torch import Tensor, nn

import regularizers as rz
from regularizers.errors import ConfigurationError


def attached(module: nn.Module, penalty: rz.Penalty, **options) -> None:
    """Attach a penalty to a module at "1"."""
    rules = [rz.activity(penalty, where="1", **options)]
    rz.Regularization(nn.Sequential(nn.Linear(4, 4), module), rules).detach()


def said(module: nn.Module, penalty: rz.Penalty, **options) -> list[str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        attached(module, penalty, **options)
    assert all(warning.filename == __file__ for warning in caught)
    return [str(warning.message) for warning in caught]


NEVER_QUITE_0 = [
    nn.Tanh(),
    nn.GELU(),
    nn.SiLU(),
    nn.Mish(),
    nn.ELU(),
    nn.SELU(),
    nn.CELU(),
    nn.LeakyReLU(),
    nn.Softsign(),
    nn.LogSigmoid(),
]
by_name = {"ids": lambda module: type(module).__name__}


@pytest.mark.parametrize(
    "module",
    [*NEVER_QUITE_0, nn.Linear(4, 4), nn.LayerNorm(4), nn.LSTM(4, 4), nn.RNN(4, 4)],
    **by_name,
)
def test_a_target_that_counts_zeros_where_there_are_none(module):
    (message,) = said(module, rz.L1(rz.TargetActive(2)))
    name = type(module).__name__
    assert message.startswith("1: TargetActive(2.0) counts values that are not exactly 0")
    assert f"but the output of a {name} hardly ever is 0" in message
    assert "use a ReLU, TargetActive(..., threshold=0.1), or TargetMean" in message
    assert said(module, rz.L1(rz.TargetActive(2, threshold=0.1))) == []
    assert said(module, rz.L1(rz.TargetMean(0.1))) == []


@pytest.mark.parametrize(
    "module",
    [nn.ReLU(), nn.ReLU6(), nn.Hardshrink(), nn.Dropout(), nn.RNN(4, 4, nonlinearity="relu")],
    **by_name,
)
def test_a_target_that_counts_zeros_where_there_are_some(module):
    assert said(module, rz.L1(rz.TargetActive(2))) == []


@pytest.mark.parametrize("module", [*NEVER_QUITE_0, nn.ReLU(), nn.Softplus()], **by_name)
def test_a_sparsity_of_what_is_no_fraction(module):
    (message,) = said(module, rz.KLSparsity(1.0, 0.1))
    assert message == (
        f"1: KLSparsity compares mean activations with a probability, 0.1, and the output of a "
        f"{type(module).__name__} does not lie between 0 and 1; use a Sigmoid, or L1 for sparse "
        f"activations"
    )


@pytest.mark.parametrize(
    "module", [nn.Sigmoid(), nn.Softmax(dim=1), nn.Hardsigmoid(), nn.Identity()], **by_name
)
def test_a_sparsity_of_fractions(module):
    assert said(module, rz.KLSparsity(1.0, 0.1)) == []


@pytest.mark.parametrize("penalty", [rz.Entropy(1.0), rz.ConfidencePenalty(1.0)], ids=repr)
def test_an_entropy_of_probabilities(penalty):
    (message,) = said(nn.Softmax(dim=1), penalty)
    assert message == (
        f"1: {type(penalty).__name__} is of logits, and the output of a Softmax is probabilities, "
        f"of which it would take a softmax again; penalise the module before it"
    )
    for module in (nn.LogSoftmax(dim=1), nn.Identity(), nn.Linear(4, 4)):
        assert said(module, penalty) == []


def test_what_a_function_selects_may_be_anything():
    assert said(nn.Tanh(), rz.L1(rz.TargetActive(2)), select=torch.relu) == []
    assert said(nn.Tanh(), rz.KLSparsity(1.0, 0.1), select=torch.sigmoid) == []


def test_a_forward_of_ones_own_may_put_out_anything():
    class Fraction(nn.Tanh):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x).relu()

    assert said(Fraction(), rz.L1(rz.TargetActive(2))) == []
    assert said(Fraction(), rz.KLSparsity(1.0, 0.1)) == []


# recurrent cells


class Stepped(nn.Module):
    """A cell in a loop, as it is written by hand; its states pass a module of their own."""

    def __init__(self, kind: type[nn.Module]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.cell = kind(3, 4).double()
        self.states = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        state, each_state = None, []
        for step in x:
            state = self.cell(step, state)
            each_state.append(state[0] if isinstance(state, tuple) else state)
        return self.states(torch.stack(each_state, dim=1))


CELLS = [nn.LSTMCell, nn.GRUCell, nn.RNNCell]


@pytest.mark.parametrize("kind", CELLS)
@pytest.mark.parametrize(
    "rule",
    [
        rz.tar(1.0, where="cell"),
        rz.tar(1.0, where="cell", time_axis=1),
        rz.tar(1.0, where="cell", time_axis=0),
        rz.activity(rz.Temporal(rz.L1(1.0), time_axis=1), where="cell"),
        rz.activity(rz.L1(1.0) + rz.TAR(1.0), where="cell"),
    ],
    ids=str,
)
@pytest.mark.parametrize("delivery", ["collect", "inject"])
def test_differences_in_time_of_a_cell(kind, rule, delivery):
    model = Stepped(kind)
    with pytest.raises(ConfigurationError) as caught:
        rz.Regularization(model, [rule], delivery=delivery)
    message = str(caught.value)
    assert message.startswith(f"cell: {kind.__name__} returns one time step, with axes for")
    assert "none for time; use nn.LSTM" in message
    assert "self.states(torch.stack(each_state, dim=1))" in message
    assert 'tar(1.0, where="states", time_axis=1)' in message
    assert not model.cell._forward_hooks


@pytest.mark.parametrize("kind", CELLS)
def test_the_cure_is_exact(kind):
    model, x = Stepped(kind), torch.randn(5, 2, 3, dtype=torch.float64)
    reg = rz.Regularization(model, [rz.tar(1.0, where="states", time_axis=1)])
    states = model(x)
    expected = (states[:, 1:] - states[:, :-1]).square().mean()
    penalty = reg.penalty()
    torch.testing.assert_close(penalty, expected)
    parameters = list(model.parameters())
    torch.testing.assert_close(
        torch.autograd.grad(penalty, parameters, retain_graph=True),
        torch.autograd.grad(expected, parameters),
    )


def test_other_penalties_of_a_cell_are_of_each_step():
    model, x = Stepped(nn.GRUCell), torch.randn(5, 2, 3, dtype=torch.float64)
    reg = rz.Regularization(model, [rz.activity(rz.L1(1.0), where="cell")])
    states = model(x)
    torch.testing.assert_close(reg.penalty(), states.abs().sum() / 2)


def test_what_is_added_later_is_judged_too():
    model = nn.Sequential(nn.Linear(4, 4), nn.Sigmoid())
    reg = rz.Regularization(model, [rz.activity(rz.KLSparsity(1.0, 0.1), where="[1-9]")])
    model.append(nn.ReLU())
    with pytest.warns(UserWarning, match=r"^2: KLSparsity .* of a ReLU does not lie between"):
        model(torch.ones(2, 4))
    reg.detach()
