"""Output and input axes of weights, checked by loops over units and by their dependencies."""

import dataclasses

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, prune
from transformers.pytorch_utils import Conv1D

import regularizers as rz

# the view of a weight by itself, to be compared with loops over its units
from regularizers.attach.sites._axis_roles import view_of
from regularizers.errors import ConfigurationError


def read(owner, name, penalty):
    """Return the penalty of a weight as it is viewed."""
    weight = getattr(owner, name).detach()
    view, term = view_of(owner, name, weight.shape, penalty)
    term.check_shape(tuple(weight.shape if view is None else view))
    return term(weight if view is None else weight.view(view))


def assert_units(owner, name, side, units):
    """Assert that penalties are those of these units, each a vector."""
    units = torch.stack([unit.flatten() for unit in units]).detach()
    groups = read(owner, name, rz.GroupLasso(0.5, axis=side))
    torch.testing.assert_close(groups, 0.5 * sum(unit.norm() for unit in units))
    mean = read(owner, name, rz.GroupLasso(0.5, axis=side, reduce="mean"))
    rms = [unit.square().mean().sqrt() for unit in units]
    torch.testing.assert_close(mean, 0.5 * sum(rms) / len(rms))
    if getattr(owner, name).ndim > 1:
        error = units @ units.T - torch.eye(len(units), dtype=units.dtype)
        orthogonal = read(owner, name, rz.Orthogonal(0.5, axis=side))
        torch.testing.assert_close(orthogonal, 0.5 * error.square().sum())
        cosines = nn.functional.normalize(units) @ nn.functional.normalize(units).T
        pairs = [cosines[i, j].abs() for i in range(len(units)) for j in range(i)]
        normalized = read(owner, name, rz.Orthogonal(0.5, axis=side, normalized=True))
        torch.testing.assert_close(normalized, 0.5 * sum(pairs) / len(pairs))


FEEDFORWARD = {
    "linear": (nn.Linear(4, 6), (4,)),
    "conv1d": (nn.Conv1d(4, 6, 3), (4, 5)),
    "conv2d": (nn.Conv2d(4, 6, (2, 3)), (4, 5, 5)),
    "conv3d": (nn.Conv3d(4, 6, 2), (4, 3, 3, 3)),
    "grouped": (nn.Conv2d(4, 6, 2, groups=2), (4, 3, 3)),
    "grouped, one dimension": (nn.Conv1d(6, 9, 2, groups=3), (6, 4)),
    "depthwise": (nn.Conv2d(4, 8, 2, groups=4), (4, 3, 3)),
    "transposed 1d": (nn.ConvTranspose1d(4, 6, 3), (4, 5)),
    "transposed 2d": (nn.ConvTranspose2d(4, 6, (2, 3)), (4, 5, 5)),
    "transposed 3d": (nn.ConvTranspose3d(4, 6, 2), (4, 3, 3, 3)),
    "transposed, grouped": (nn.ConvTranspose2d(4, 6, 2, groups=2), (4, 3, 3)),
    "transposed, depthwise": (nn.ConvTranspose1d(4, 8, 2, groups=4), (4, 3)),
    "conv1d of transformers": (Conv1D(6, 4), (4,)),
    "dynamic": (nn.modules.linear.NonDynamicallyQuantizableLinear(4, 6), (4,)),
}


def channels(y, module):
    """Return the output with its channels first."""
    return y.movedim(-1 if type(module) in (nn.Linear, Conv1D) or y.ndim == 2 else 1, 0)


@pytest.mark.parametrize("name", FEEDFORWARD)
def test_outputs_are_those_that_depend_on_the_elements(name):
    module, shape = FEEDFORWARD[name]
    torch.manual_seed(0)
    y = channels(module(torch.randn(1, *shape)), module)
    units = []
    for channel in y:
        (slope,) = torch.autograd.grad(channel.sum(), module.weight, retain_graph=True)
        units.append(module.weight[slope != 0])
    assert_units(module, "weight", "output", units)


@pytest.mark.parametrize("name", FEEDFORWARD)
def test_inputs_are_those_that_the_elements_multiply(name):
    module, shape = FEEDFORWARD[name]
    torch.manual_seed(0)
    units = []
    for channel in range(shape[0]):
        x = torch.zeros(1, *shape)
        x[0, channel] = torch.randn(shape[1:])
        (slope,) = torch.autograd.grad(module(x).sum(), module.weight)
        units.append(module.weight[slope != 0])
    assert_units(module, "weight", "input", units)


def test_grouped_convolutions_by_loops():
    w = (conv := nn.Conv2d(4, 6, 2, groups=2)).weight
    assert_units(conv, "weight", "input", [w[3 * g : 3 * g + 3, c] for g in (0, 1) for c in (0, 1)])
    assert_units(conv, "weight", "output", w)
    w = (conv := nn.ConvTranspose2d(4, 6, 2, groups=2)).weight
    outputs = [w[2 * g : 2 * g + 2, c] for g in (0, 1) for c in (0, 1, 2)]
    assert_units(conv, "weight", "output", outputs)
    assert_units(conv, "weight", "input", w)


@pytest.mark.parametrize(
    ("recurrent", "gates"),
    [(nn.RNN(3, 5, 2), 1), (nn.GRU(3, 5, bidirectional=True), 3), (nn.LSTM(3, 5, num_layers=2), 4)],
    ids=["RNN", "GRU", "LSTM"],
)
def test_a_unit_of_a_recurrent_layer_is_all_its_gates(recurrent, gates):
    for name, w in recurrent.named_parameters():
        assert w.shape[0] == 5 * gates
        units = [torch.stack([w[gate * 5 + unit] for gate in range(gates)]) for unit in range(5)]
        assert_units(recurrent, name, "output", units)
        if w.ndim == 2:
            assert_units(recurrent, name, "input", [w[:, k] for k in range(w.shape[1])])


@pytest.mark.parametrize(
    ("cell", "gates"), [(nn.RNNCell(3, 5), 1), (nn.GRUCell(3, 5), 3), (nn.LSTMCell(3, 5), 4)]
)
def test_a_unit_of_a_recurrent_cell(cell, gates):
    for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
        w = getattr(cell, name)
        units = [torch.stack([w[gate * 5 + unit] for gate in range(gates)]) for unit in range(5)]
        assert_units(cell, name, "output", units)


def test_the_projection_of_an_lstm_has_rows_for_outputs():
    lstm = nn.LSTM(3, 5, proj_size=2)
    assert_units(lstm, "weight_hr_l0", "output", lstm.weight_hr_l0)
    assert_units(lstm, "weight_hr_l0", "input", lstm.weight_hr_l0.T)
    w = lstm.weight_hh_l0
    assert w.shape == (20, 2)
    assert_units(lstm, "weight_hh_l0", "output", [w[unit::5] for unit in range(5)])
    assert_units(lstm, "weight_hh_l0", "input", w.T)


def test_attention():
    one = nn.MultiheadAttention(4, 2)
    assert_units(one, "in_proj_weight", "output", one.in_proj_weight)
    assert_units(one, "in_proj_weight", "input", one.in_proj_weight.T)
    nn.init.normal_(one.in_proj_bias)
    assert_units(one, "in_proj_bias", "output", one.in_proj_bias)
    assert_units(one.out_proj, "weight", "output", one.out_proj.weight)
    several = nn.MultiheadAttention(4, 2, kdim=3, vdim=5, add_bias_kv=True)
    for name in ("q_proj_weight", "k_proj_weight", "v_proj_weight"):
        assert_units(several, name, "output", getattr(several, name))
        assert_units(several, name, "input", getattr(several, name).T)
    groups = read(several, "bias_k", rz.GroupLasso(1.0, axis="output"))
    torch.testing.assert_close(groups, several.bias_k.detach().abs().sum())


def test_embeddings_and_the_outputs_of_two_inputs():
    w = (table := nn.Embedding(6, 3)).weight
    assert_units(table, "weight", "input", w)
    assert_units(table, "weight", "output", w.T)
    w = (bilinear := nn.Bilinear(2, 3, 4)).weight
    assert_units(bilinear, "weight", "output", w)


def test_computed_weights_have_the_layout_of_their_owner():
    conv = parametrizations.weight_norm(nn.ConvTranspose1d(2, 3, 2))
    assert_units(conv, "weight", "output", conv.weight.transpose(0, 1))
    pruned = nn.Conv1d(4, 6, 2, groups=2)
    prune.l1_unstructured(pruned, "weight", amount=0.3)
    w = pruned.weight
    inputs = [w[3 * g : 3 * g + 3, c] for g in (0, 1) for c in (0, 1)]
    assert_units(pruned, "weight", "input", inputs)
    view, _ = view_of(pruned, "weight_orig", w.shape, rz.GroupLasso(1.0, "input"))
    assert view == (2, 3, 2, 2)
    of_transformers = parametrizations.weight_norm(Conv1D(5, 3))
    assert_units(of_transformers, "weight", "output", of_transformers.weight.T)


def test_biases():
    for module in (nn.Linear(2, 3), nn.ConvTranspose2d(4, 6, 2, groups=2), nn.Bilinear(2, 3, 4)):
        assert_units(module, "bias", "output", module.bias)


@pytest.mark.parametrize(
    "term",
    [rz.GroupLasso(1.0, 0), rz.GroupLasso(1.0, (0, 1)), rz.Orthogonal(1.0), rz.L1(1.0)],
    ids=repr,
)
def test_an_axis_by_its_number_stays(term):
    view, same = view_of(nn.LSTM(2, 3), "weight_ih_l0", (12, 2), term)
    assert view is None
    assert same is term


def test_everything_else_of_the_penalty_stays():
    lstm = nn.LSTM(2, 3)
    term = rz.GroupLasso(0.25, axis="output", reduce="mean")
    assert view_of(lstm, "weight_ih_l0", (12, 2), term) == (
        (4, 3, 2), dataclasses.replace(term, axis=1)
    )  # fmt: skip
    linear = rz.GroupLasso(0.25, axis="input", reduce="batch_mean", batch_axis=0)
    assert view_of(nn.Linear(2, 3), "weight", (3, 2), linear) == (
        None, dataclasses.replace(linear, axis=1)
    )  # fmt: skip
    angles = rz.Orthogonal(0.25, "input", normalized=True)
    _, term = view_of(nn.Conv1d(4, 6, 2, groups=2), "weight", (6, 2, 2), angles)
    assert (term.axis, term.normalized, term.strength) == ((0, 2), True, 0.25)


def test_a_budget_has_the_axis_of_its_penalty():
    lstm = nn.LSTM(2, 3)
    budget = rz.Budget(rz.GroupLasso(0.5, axis="output", reduce="mean"), 0.1)
    w = lstm.weight_ih_l0.detach()
    units = [w[unit::3].square().mean().sqrt() for unit in range(3)]
    got = read(lstm, "weight_ih_l0", budget)
    torch.testing.assert_close(got, 0.5 * (sum(units) / 3 - 0.1))


class Mine(nn.Module):
    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.randn(2, 3))


@pytest.mark.parametrize(
    ("owner", "name", "side", "message"),
    [
        (Mine(), "w", "output", r"w: axis='output': .* got 'w' of Mine, whose layout .*axis=0"),
        (nn.Linear(2, 3), "lora_A", "output", "'lora_A' of Linear, whose layout is not known"),
        (nn.LSTM(2, 3), "w", "output", "'w' of LSTM, whose layout is not known"),
        (
            nn.Linear(2, 3),
            "bias",
            "input",
            "'bias' of Linear, a bias, which has no input axis; use ax",
        ),
        (nn.LSTM(2, 3), "bias_ih_l0", "input", "'bias_ih_l0' of LSTM, a bias"),
        (nn.Bilinear(2, 3, 4), "weight", "input", "of Bilinear, which has two inputs; use axis=1"),
        (nn.LayerNorm(3), "weight", "output", "of LayerNorm, whose layout is not known"),
    ],
)
def test_what_is_not_known_raises(owner, name, side, message):
    shape = (2, 3) if name in ("w", "lora_A") else getattr(owner, name).shape
    with pytest.raises(ConfigurationError, match=message):
        view_of(owner, name, shape, rz.GroupLasso(1.0, side))


def test_a_weight_of_another_shape_than_its_module_has():
    with pytest.raises(ConfigurationError, match=r"of shape \(6,\) where 2 axes are usual"):
        view_of(nn.Linear(2, 3), "weight", (6,), rz.GroupLasso(1.0, "output"))


def test_the_site_is_named():
    with pytest.raises(ConfigurationError, match=r"^blocks.0.w: axis='input'"):
        view_of(Mine(), "w", (2, 3), rz.Orthogonal(1.0, "input"), "blocks.0.w")


@pytest.mark.parametrize("options", [{"reduce": "batch_mean"}, {"batch_axis": 1}], ids=str)
def test_samples_along_axes_that_a_view_does_not_have(options):
    term = rz.GroupLasso(1.0, "output", **options)
    with pytest.raises(
        ConfigurationError, match=r"read in the shape \(4, 3, 2\), got GroupLasso.*leave"
    ):
        view_of(nn.LSTM(2, 3), "weight_ih_l0", (12, 2), term)


@pytest.mark.parametrize("penalty", [rz.GroupLasso(1.0, "output"), rz.Orthogonal(1.0, "input")])
def test_an_output_has_no_sides(penalty):
    for rule in (penalty, rz.L1(1.0) + penalty, rz.Budget(penalty, 1.0)):
        with pytest.raises(ConfigurationError, match=r"activity: expected the number of an axis"):
            rz.activity(rule, where="0")
