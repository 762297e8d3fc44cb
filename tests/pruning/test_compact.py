"""A compacted model has the outputs of the model it came from, and fewer parameters."""

import copy
import warnings

import pytest
import torch
from torch import nn
from torch.nn.utils import prune

import regularizers as rz
from pruning.networks import NETWORKS, mlp, parameters, set_units_to_zero
from regularizers.errors import ConfigurationError, SelectionError

LAST = {"mlp": "6", "tokens": "6", "normed": "8", "cnn": "12", "one dimension": "5"}
LAST |= {"three dimensions": "6", "branches": "head"}


def made(kind: str, dtype: torch.dtype = torch.float64) -> tuple[nn.Module, torch.Tensor]:
    make, shape = NETWORKS[kind]
    torch.manual_seed(0)
    return make().to(dtype), torch.randn(shape).to(dtype)


def outputs_of_layers(model: nn.Module) -> dict[str, int]:
    layers = (nn.Linear, nn.modules.conv._ConvNd)
    found = {name: m for name, m in model.named_modules() if isinstance(m, layers)}
    return {name: len(module.weight) for name, module in found.items()}


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("kind", NETWORKS)
def test_outputs_stay_in_evaluation(kind, seed, bias):
    """Whatever zero units say, through their biases and batch norm, goes into the next layer."""
    model, x = made(kind)
    model.eval()
    counts = set_units_to_zero(model, seed, bias=bias)
    small = rz.compact(model)
    torch.testing.assert_close(small(x), model(x), rtol=1e-12, atol=1e-12)
    before = outputs_of_layers(model)
    last = {LAST[kind], "out"}
    assert outputs_of_layers(small) == {
        name: units - (0 if name in last else counts[name]) for name, units in before.items()
    }
    assert parameters(small) < parameters(model)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
@pytest.mark.parametrize("kind", NETWORKS)
def test_other_types_stay_within_their_precision(kind, dtype):
    model, x = made(kind, dtype)
    model.eval()
    set_units_to_zero(model, 0, bias=False)
    small = rz.compact(model)
    assert {weight.dtype for weight in small.parameters()} == {dtype}
    tolerance = 1e-5 if dtype == torch.float32 else 8 * torch.finfo(dtype).eps
    torch.testing.assert_close(small(x), model(x), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", ["mlp", "tokens", "one dimension", "branches"])
def test_outputs_and_gradients_stay_in_training(kind, seed):
    model, x = made(kind)
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    set_units_to_zero(model, seed)
    small = rz.compact(model.train())
    assert small.training
    x.requires_grad_()
    expected, output = model(x), small(x)
    torch.testing.assert_close(output, expected, rtol=1e-12, atol=1e-12)
    weights = torch.randn_like(output)
    gradients = [torch.autograd.grad((y * weights).sum(), x)[0] for y in (expected, output)]
    torch.testing.assert_close(*gradients, rtol=1e-12, atol=1e-12)


def test_a_constant_goes_into_the_bias_of_the_next_layer_by_hand():
    model = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 1))
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([[0.0, 0.0], [1.0, 2.0]]))
        model[0].bias.copy_(torch.tensor([3.0, -1.0]))
        model[2].weight.copy_(torch.tensor([[10.0, 7.0]]))
        model[2].bias.fill_(0.5)
    small = rz.compact(model)
    assert small[0].weight.tolist() == [[1, 2]]
    assert small[0].bias.tolist() == [-1]
    assert small[2].weight.tolist() == [[7]]
    assert small[2].bias.tolist() == [30.5]  # 0.5 + 10 · relu(3)


def test_a_batch_norm_between_by_hand():
    model = nn.Sequential(nn.Linear(1, 2), nn.BatchNorm1d(2, eps=0), nn.Linear(2, 1, bias=False))
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([[1.0], [0.0]]))
        model[0].bias.copy_(torch.tensor([0.0, 5.0]))
        model[1].running_mean.copy_(torch.tensor([0.0, 1.0]))
        model[1].running_var.copy_(torch.tensor([1.0, 4.0]))
        model[1].weight.copy_(torch.tensor([1.0, 3.0]))
        model[1].bias.copy_(torch.tensor([0.0, 0.25]))
        model[2].weight.copy_(torch.tensor([[1.0, 2.0]]))
    small = rz.compact(model.eval())
    assert small[2].bias.tolist() == [2 * (3 * (5 - 1) / 2 + 0.25)]
    assert small[1].num_features == 1
    assert small[1].running_var.tolist() == [1]


def test_a_reader_without_a_bias_gets_one_only_if_it_is_needed():
    for bias, needed in ((2.0, True), (-2.0, False)):
        model = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 1, bias=False))
        with torch.no_grad():
            model[0].weight[1] = 0
            model[0].bias[1] = bias
        assert (rz.compact(model)[2].bias is not None) == needed


@pytest.mark.parametrize("bias", [1.0, 0.0])
@pytest.mark.parametrize(
    "reader",
    [nn.Conv2d(4, 2, 3, padding=1), nn.Conv2d(4, 2, 3, padding="same")],
    ids=["padding", "same"],
)
def test_a_constant_stays_where_the_border_is_padded_with_zeros(reader, bias):
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), reader).double().eval()
    with torch.no_grad():
        model[0].weight[1:3] = 0
        model[0].bias[1] = 0
        model[0].bias[2] = bias
    x = torch.randn(2, 1, 6, 6).double()
    if bias:
        with pytest.warns(
            UserWarning, match="compact: 0: 1 unit .* stays, .* a bias of 0 lets it go"
        ):
            small = rz.compact(model)
    else:
        small = rz.compact(model)
    assert small[0].out_channels == (3 if bias else 2)
    torch.testing.assert_close(small(x), model(x), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("pool", "stays"),
    [
        (nn.AvgPool2d(3, padding=1), True),
        (nn.AvgPool2d(3, divisor_override=2), True),
        (nn.AvgPool2d(3, padding=1, count_include_pad=False), False),
        (nn.AvgPool2d(3, ceil_mode=True), False),
        (nn.MaxPool2d(3, padding=1, ceil_mode=True), False),
    ],
    ids=["padding", "divisor", "not counted", "ceil", "largest"],
)
def test_averages_that_count_padding_keep_a_constant(pool, stays):
    model = nn.Sequential(nn.Conv2d(1, 3, 3), nn.Softplus(), pool, nn.Conv2d(3, 2, 2))
    model = model.double().eval()
    with torch.no_grad():
        model[0].weight[1] = 0
    x = torch.randn(2, 1, 9, 9).double()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        small = rz.compact(model)
    assert len(caught) == stays
    assert small[0].out_channels == 2 + stays
    torch.testing.assert_close(small(x), model(x), rtol=1e-12, atol=1e-12)


def test_one_unit_stays_of_a_layer_of_zeros():
    model, x = made("mlp")
    model.eval()
    with torch.no_grad():
        model[0].weight.zero_()
    with pytest.warns(UserWarning, match="compact: 0: the kernels of all 9 units are 0; one unit"):
        small = rz.compact(model)
    assert small[0].out_features == small[3].in_features == 1
    torch.testing.assert_close(small(x), model(x), rtol=1e-12, atol=1e-12)


def test_a_constant_that_is_not_finite_stays():
    model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 2))
    with torch.no_grad():
        model[0].weight[1] = 0
        model[0].bias[1] = torch.nan
    with pytest.warns(UserWarning, match="or is not finite"):
        small = rz.compact(model)
    assert small(torch.ones(1, 2)).isnan().all()


def test_a_weight_that_makes_nan_of_zero_stays():
    model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 2))
    with torch.no_grad():
        model[0].weight[1] = 0
        model[0].bias[1] = 0
        model[1].weight[0, 1] = torch.inf
    with pytest.warns(UserWarning, match="or is not finite"):
        small = rz.compact(model)
    assert small(torch.ones(1, 2)).isnan().tolist() == [[True, False]]


def test_the_model_stays_as_it_was_and_shares_nothing():
    model, _ = made("cnn")
    model.train()
    model[1].weight.requires_grad_(False)
    set_units_to_zero(model, 0)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    modes = [module.training for module in model.modules()]
    small = rz.compact(model)
    torch.testing.assert_close(dict(model.state_dict()), before, rtol=0, atol=0)
    assert [module.training for module in model.modules()] == modes
    assert model[0].out_channels == 8
    assert not {p.data_ptr() for p in small.parameters()} & {
        p.data_ptr() for p in model.parameters()
    }
    assert not small[1].weight.requires_grad
    assert small[1].bias.requires_grad


def test_the_small_model_trains_and_its_sizes_are_those_of_its_weights():
    model, x = made("cnn")
    set_units_to_zero(model, 0)
    small = rz.compact(model)
    fresh = copy.deepcopy(small)
    optimizer = torch.optim.Adam(small.parameters())
    small(x).square().sum().backward()
    optimizer.step()
    assert all(p.grad is not None for p in small.parameters())
    for module in small.modules():
        if isinstance(module, nn.Linear):
            assert module.weight.shape == (module.out_features, module.in_features)
        elif isinstance(module, nn.Conv2d):
            assert module.weight.shape[:2] == (module.out_channels, module.in_channels)
        elif isinstance(module, nn.modules.batchnorm._BatchNorm):
            assert module.running_mean.shape == module.bias.shape == (module.num_features,)
    fresh.load_state_dict(small.state_dict())


def test_without_units_to_remove_it_is_a_copy_and_nothing_is_traced():
    class Branching(nn.Linear):
        def forward(self, x):
            return super().forward(x) if x.sum() > 0 else x

    model = nn.Sequential(nn.Linear(3, 3), Branching(3, 3))
    small = rz.compact(model)
    assert small is not model
    torch.testing.assert_close(dict(small.state_dict()), dict(model.state_dict()))


def test_masks_become_plain_weights():
    model, x = made("mlp")
    model.eval()
    counts = set_units_to_zero(model, 1)
    with torch.no_grad():
        model[6].weight[0, 0] = 0  # a single zero stays
    rz.prune_zeros(model)
    prune.l1_unstructured(model[0], "bias", amount=2)
    model(x).sum().backward()  # the products have a graph
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.1)  # what is masked, too
    before = model(x)
    small = rz.compact(model)
    torch.testing.assert_close(small(x), before, rtol=1e-12, atol=1e-12)
    assert small[0].out_features == 9 - counts["0"]
    assert not any("_orig" in name or "_mask" in name for name in small.state_dict())
    assert rz.zeros(small)["6.weight"] > 0
    assert model[0].weight_mask.shape == (9, 5)


def test_pruned_recurrent_weights_become_plain():
    class Tagger(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn, self.hidden, self.act = nn.LSTM(3, 4), nn.Linear(4, 5), nn.ReLU()
            self.head = nn.Linear(5, 2)

        def forward(self, x):
            return self.head(self.act(self.hidden(self.rnn(x)[0])))

    model = Tagger()
    with torch.no_grad():
        model.rnn.weight_hh_l0[:, 1] = 0
        model.hidden.weight[2] = 0
    rz.prune_zeros(model)
    x = torch.randn(6, 2, 3)
    expected = model(x)
    small = rz.compact(model)
    torch.testing.assert_close(small(x), expected)
    assert small.hidden.out_features == 4
    assert (small.rnn.weight_hh_l0[:, 1] == 0).all()


def test_masks_of_tied_weights_become_weights_of_their_own():
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    model[1].weight = model[0].weight
    prune.custom_from_mask(model[0], "weight", torch.ones(3, 3).tril())
    prune.custom_from_mask(model[1], "weight", torch.ones(3, 3).triu())
    x = torch.randn(2, 3)
    torch.testing.assert_close(rz.compact(model)(x), model(x))


def test_where_leaves_layers_alone():
    model, x = made("mlp")
    model.eval()
    counts = set_units_to_zero(model, 0)
    small = rz.compact(model, where="3")
    assert outputs_of_layers(small) == outputs_of_layers(model) | {"3": 8 - counts["3"]}
    torch.testing.assert_close(small(x), model(x), rtol=1e-12, atol=1e-12)


def test_outputs_of_the_model_are_never_removed():
    class Both(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Linear(3, 4), nn.Linear(4, 2)

        def forward(self, x):
            hidden = self.first(x)
            return {"hidden": hidden, "output": self.second(hidden)}

    model = Both()
    set_units_to_zero(model, 0, 1.0)
    assert rz.compact(model).first.out_features == 4
    layer = nn.Linear(3, 4)
    set_units_to_zero(layer, 0, 1.0)
    assert rz.compact(layer).out_features == 4


def test_what_follows_the_last_layer_need_not_be_followed():
    class Residual(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.act, self.last = nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 4)

        def forward(self, x):
            return torch.softmax(x + self.last(self.act(self.first(x))), dim=1).view(-1, 2)

    model, x = Residual().eval(), torch.randn(3, 4)
    set_units_to_zero(model, 0, 1.0)
    small = rz.compact(model)
    assert outputs_of_layers(small) == {"first": 1, "last": 4}
    torch.testing.assert_close(small(x), model(x))


def test_a_regularization_of_the_model_does_not_come_along():
    model, x = made("mlp")
    set_units_to_zero(model, 0)
    rules = [rz.kernel(rz.GroupLasso(0.1, axis="output")), rz.activity(rz.L1(0.1), where="1")]
    reg = rz.Regularization(model, rules)
    small = rz.compact(model)
    assert not small[1]._forward_hooks
    with rz.Regularization(small, rules) as fresh:
        small(x)
        assert fresh.penalty() > 0
        assert fresh.penalties().keys() == reg.strengths.keys()
    reg.detach()


def test_marks_and_an_activity_penalty_do_no_harm():
    model = nn.Sequential(
        rz.regularize(nn.Linear(3, 4), kernel_regularizer=rz.L1(0.1)),
        rz.layers.ActivityPenalty(rz.L1(0.1)),
        nn.Linear(4, 2),
    ).eval()
    set_units_to_zero(model, 0, 1.0)
    x = torch.randn(2, 3)
    small = rz.compact(model)
    assert small[0].out_features == 1
    torch.testing.assert_close(small(x), model(x))


def test_bad_input():
    with pytest.raises(ConfigurationError, match=r"compact: expected a torch\.nn\.Module, got int"):
        rz.compact(3)
    with pytest.raises(SelectionError, match="kernel: where='x' matches nothing"):
        rz.compact(mlp(), "x")
