"""What `compact` cannot follow is refused by name, and nothing is changed."""

import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils import parametrizations

import regularizers as rz
from pruning.networks import set_units_to_zero
from regularizers.errors import SelectionError


class Calls(nn.Module):
    """Calls its layers as a function says."""

    def __init__(self, forward, *layers: nn.Module) -> None:
        super().__init__()
        self.a, self.act, self.b = layers or (nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4))
        self.way = forward

    def forward(self, x):
        return self.way(self, x)


def residual(model, x):
    return model.b(model.act(model.a(x)) + x)


def skipped(model, x):
    hidden = model.act(model.a(x))
    return model.b(hidden) + hidden


def joined(model, x):
    return model.b(torch.cat([model.a(x), x], dim=1)[:, :4])


def viewed(model, x):
    return model.b(model.a(x).view(-1, 4))


def functions(model, x):
    return model.b(functional.relu(model.a(x)))


def shared(model, x):
    return model.b(model.act(model.a(model.act(model.a(x)))))


def shared_reader(model, x):
    return model.b(model.b(model.act(model.a(x))))


def read_elsewhere(model, x):
    return model.b(model.a(x)) + functional.linear(x, model.a.weight)


def in_training_only(model, x):
    hidden = model.a(x)
    return model.b(model.act(hidden) if model.training else hidden)


def by_name(model, x):
    return model.b(input=model.a(x))


@pytest.mark.parametrize(
    ("forward", "reason"),
    [
        (residual, "the output of act goes into add"),
        (skipped, "the output of act is read 2 times, as in a residual sum"),
        (joined, "the output of a goes into cat"),
        (viewed, "the output of a goes into view"),
        (functions, "the output of a goes into relu"),
        (shared, "a is called 2 times, as a shared module is"),
        (shared_reader, "b is called 2 times, as a shared module is"),
        (read_elsewhere, "the parameters of a are read outside of it"),
        (in_training_only, "its output takes another way in training than in evaluation"),
        (by_name, "the output of a goes into b"),
    ],
    ids=lambda one: one.__name__ if callable(one) else "",
)
def test_a_way_that_cannot_be_followed(forward, reason):
    check(Calls(forward), "a", reason)


@pytest.mark.parametrize(
    ("layers", "reason"),
    [
        ([nn.Linear(4, 4), nn.LayerNorm(4), nn.Linear(4, 4)], r"1 \(LayerNorm\) is none"),
        ([nn.Linear(4, 4), nn.Softmax(1), nn.Linear(4, 4)], r"1 \(Softmax\) is none"),
        ([nn.Linear(4, 4), nn.MaxPool1d(2), nn.Linear(2, 4)], r"1 \(MaxPool1d\) is none"),
        ([nn.Linear(4, 4), nn.BatchNorm1d(3), nn.Linear(4, 4)], r"1 \(BatchNorm1d\) is none"),
        ([nn.Linear(4, 4), nn.Flatten(), nn.Linear(12, 4)], r"2 \(Linear\) is none"),
        ([nn.Linear(4, 4), nn.Conv1d(4, 4, 1)], r"1 \(Conv1d\) is none"),
        ([nn.Conv1d(4, 4, 1), nn.Linear(4, 4)], r"1 \(Linear\) is none"),
        ([nn.Conv2d(4, 4, 1), nn.Conv1d(4, 4, 1)], r"1 \(Conv1d\) is none"),
        ([nn.Conv1d(4, 4, 1), nn.Flatten(2), nn.Conv1d(4, 4, 1)], r"1 \(Flatten\) is none"),
        ([nn.Conv1d(4, 4, 1), nn.Flatten(), nn.Linear(6, 4)], r"2 \(Linear\) is none"),
        ([nn.Conv1d(4, 4, 1), nn.Conv1d(4, 4, 1, groups=2)], "1 is a grouped convolution"),
        ([nn.Conv1d(4, 4, 1, groups=2), nn.Conv1d(4, 4, 1)], "0 is a grouped convolution"),
        ([nn.Conv1d(4, 4, 1), nn.ConvTranspose1d(4, 4, 1)], r"1 \(ConvTranspose1d\) is none"),
        ([nn.Linear(4, 4), nn.GRU(4, 2)], r"1 \(GRU\) is none"),
        ([nn.Linear(4, 4), nn.Identity(), nn.Bilinear(4, 4, 2)], r"2 \(Bilinear\) is none"),
    ],
    ids=lambda one: "-".join(type(m).__name__ for m in one) if isinstance(one, list) else "",
)
def test_modules_that_do_not_keep_units_apart(layers, reason):
    check(nn.Sequential(*layers), "0", reason)


class Own(nn.Linear):
    """A subclass, whose forward may be anything."""


def subclass() -> nn.Module:
    return nn.Sequential(Own(4, 4), nn.Linear(4, 2))


def into_a_subclass() -> nn.Module:
    return nn.Sequential(nn.Linear(4, 4), Own(4, 2))


def hooked() -> nn.Module:
    model = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2))
    model[1].register_forward_hook(lambda module, inputs, output: output + 1)
    return model


def hooked_before() -> nn.Module:
    model = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2))
    model[2].register_forward_pre_hook(lambda module, inputs: (inputs[0] + 1,))
    return model


def parametrized_reader() -> nn.Module:
    return nn.Sequential(nn.Linear(4, 4), parametrizations.weight_norm(nn.Linear(4, 2)))


def tied() -> nn.Module:
    model = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4))
    model[2].bias = model[0].bias
    return model


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (subclass, r"0 \(Own\) is none of these"),
        (into_a_subclass, r"1 \(Own\) is none of these"),
        (hooked, "1 has forward hooks"),
        (hooked_before, "2 has forward hooks"),
        (parametrized_reader, "1 is parametrized"),
        (tied, "0 has a parameter that is tied"),
    ],
    ids=lambda one: one.__name__ if callable(one) else "",
)
def test_modules_that_are_more_than_their_type(make, reason):
    check(make(), "0", reason)


def test_a_layer_within_another_module():
    check(
        nn.Sequential(nn.TransformerEncoderLayer(4, 2, 8), nn.Linear(4, 2)),
        "0.linear1",
        "its forward is not seen: another module calls it, or none",
    )


def test_a_parametrized_layer_is_refused_by_name():
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 2))
    with torch.no_grad():
        model[0].weight[1] = 0
    parametrizations.orthogonal(model[1])
    torch.nn.utils.parametrize.register_parametrization(model[0], "weight", nn.Identity())
    with pytest.raises(SelectionError, match=r"compact: 0 .*but 0 is parametrized; parametrize\."):
        rz.compact(model)


def test_a_forward_that_cannot_be_traced_names_the_module():
    class Branch(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.act = nn.ReLU()

        def forward(self, x):
            return self.act(x) if x.sum() > 0 else x

    model = nn.Sequential(nn.Linear(4, 4), nn.Sequential(Branch()), nn.Linear(4, 2))
    set_units_to_zero(model, 0)
    with pytest.raises(SelectionError, match=r"that of 1\.0 \(Branch\) raises TraceError"):
        rz.compact(model)


def test_what_is_refused_may_be_left_out():
    model = nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4), nn.Linear(4, 5), nn.Linear(5, 2))
    set_units_to_zero(model, 0, 1.0)
    x = torch.randn(3, 4)
    small = rz.compact(model, where=["2", "3"])
    assert [len(small[i].weight) for i in (0, 2, 3)] == [4, 1, 2]
    torch.testing.assert_close(small(x), model(x))


def test_layers_without_such_units_need_no_way():
    model = Calls(residual)
    small = rz.compact(nn.Sequential(model, zeroed(nn.Linear(4, 5)), nn.Linear(5, 2)))
    assert small[1].out_features == 1


def zeroed(layer: nn.Module) -> nn.Module:
    set_units_to_zero(layer, 0, 1.0)
    return layer


def check(model: nn.Module, layer: str, reason: str) -> None:
    """Check that the one layer with zero units is refused, and that nothing is changed."""
    with torch.no_grad():
        model.get_submodule(layer).weight[1:3] = 0
    before = {name: value.clone() for name, value in model.state_dict().items()}
    pattern = rf"compact: {layer} \(\w+\) has 2 units whose kernel is 0, .*, but {reason}.*where="
    with pytest.raises(SelectionError, match=pattern):
        rz.compact(model)
    torch.testing.assert_close(dict(model.state_dict()), before, rtol=0, atol=0)
