"""Nested tensors: exact where a penalty is a sum over elements, an error elsewhere."""

import pytest
import torch
from torch import Tensor, nn

import regularizers as rz
from regularizers.errors import OutputError

LENGTHS = (3, 5)

pytestmark = pytest.mark.filterwarnings(
    "ignore:The PyTorch API of nested tensors", "ignore:.*Nested Tensors.*prototype"
)


def sequences() -> list[Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(n, 4, generator=generator, dtype=torch.float64) for n in LENGTHS]


def nested(layout: torch.layout = torch.jagged) -> Tensor:
    return torch.nested.nested_tensor(sequences(), layout=layout)


def model_of() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 6), nn.ReLU()).double()


def outputs(model: nn.Sequential) -> list[Tensor]:
    """Return what each sequence is by itself, past the hooks."""
    return [torch.relu(x @ model[0].weight.T + model[0].bias) for x in sequences()]


def total(parts: list[Tensor], function) -> Tensor:
    return sum([function(part).sum() for part in parts])


EXACT = {
    "L1": (rz.L1(1.0), lambda y: total(y, torch.abs) / 2),
    "L1 sum": (rz.L1(1.0, reduce="sum"), lambda y: total(y, torch.abs)),
    "L1 over units": (rz.L1(1.0, batch_axis=2), lambda y: total(y, torch.abs) / 6),
    "L2Squared": (rz.L2Squared(2.0), lambda y: total(y, torch.square)),
    "L2Squared sum": (rz.L2Squared(1.0, reduce="sum"), lambda y: total(y, torch.square)),
    "L1L2": (rz.L1L2(1.0, 1.0), lambda y: total(y, lambda x: x.abs() + x.square()) / 2),
    "L2Norm sum": (rz.L2Norm(1.0, reduce="sum"), lambda y: total(y, torch.square).sqrt()),
}


@pytest.mark.parametrize("name", EXACT)
@pytest.mark.parametrize("delivery", ["collect", "inject"])
def test_sums_over_elements_are_exact(name, delivery):
    penalty, by_hand = EXACT[name]
    model = model_of()
    reg = rz.Regularization(model, [rz.activity(penalty, where="1")], delivery=delivery)
    task = model(nested()).values().square().sum()
    expected = by_hand(outputs(model))
    if delivery == "collect":
        value = reg.penalty()
        torch.testing.assert_close(value, expected)
        loss = task + value
    else:
        loss = reg.scale_from(task)
    parameters = list(model.parameters())
    torch.testing.assert_close(
        torch.autograd.grad(loss, parameters),
        torch.autograd.grad(total(outputs(model), torch.square) + expected, parameters),
    )


@pytest.mark.parametrize(
    "penalty",
    [
        rz.L1(1.0, reduce="mean"),
        rz.AR(1.0),
        rz.L2Squared(1.0, batch_axis=(0, 1)),
        rz.L2Norm(1.0),
        rz.L2Norm(1.0, reduce="mean"),
        rz.Temporal(rz.L1(1.0), time_axis=1),
        rz.Budget(rz.L1(1.0), 1.0),
        rz.GroupLasso(1.0, axis=2),
        rz.L1(rz.TargetActive(2)),
        rz.L1(rz.TargetMean(0.1), reduce="sum"),
    ],
    ids=repr,
)
@pytest.mark.parametrize("delivery", ["collect", "inject"])
def test_other_penalties_name_the_site_and_the_cure(penalty, delivery):
    model = model_of()
    reg = rz.Regularization(model, [rz.activity(penalty, where="1")], delivery=delivery)
    with pytest.raises(
        OutputError, match=r"^1: the output is a nested tensor of 3 axes.*to_padded_tensor.*mask"
    ):
        model(nested())
    reg.detach()


def test_the_cure_is_exact():
    model = model_of()
    rules = [
        rz.activity(penalty, where="1", select=lambda y: y.to_padded_tensor(0.0))
        for penalty in (rz.AR(1.0), rz.L2Norm(1.0), rz.TAR(1.0, time_axis=1))
    ]
    reg = rz.Regularization(model, rules)
    valid = torch.arange(5) < torch.tensor(LENGTHS)[:, None]
    with reg.mask(valid, where="1"):
        model(nested())
    y = outputs(model)
    pairs = torch.cat([part[1:] - part[:-1] for part in y])
    expected = (
        torch.cat(y).square().mean()
        + torch.stack([part.norm() for part in y]).mean()
        + pairs.square().mean()
    )
    value = reg.penalty()
    torch.testing.assert_close(value, expected)
    parameters = list(model.parameters())
    torch.testing.assert_close(
        torch.autograd.grad(value, parameters), torch.autograd.grad(expected, parameters)
    )


def test_a_mask_of_a_nested_tensor():
    model = model_of()
    reg = rz.Regularization(model, [rz.activity(rz.L1(1.0), where="1")])
    with (
        reg.mask(torch.ones(2, dtype=torch.bool), where="1"),
        pytest.raises(OutputError, match=r"^1: a mask cannot read a nested tensor, got one of 3"),
    ):
        model(nested())
    reg.detach()


@pytest.mark.parametrize("attach", ["collect", "inject", "monitor"])
def test_a_nested_tensor_without_a_shape(attach):
    model = model_of()
    if attach == "monitor":
        attached = rz.Monitor(model, "1")
    else:
        rules = [rz.activity(rz.L1(1.0), where="1")]
        attached = rz.Regularization(model, rules, delivery=attach)
    with pytest.raises(OutputError, match=r"^1: the output is a nested .*layout=torch\.jagged"):
        model(nested(torch.strided))
    attached.detach()


def test_a_monitor():
    model = model_of()
    monitor = rz.Monitor(model, "1")
    with pytest.raises(OutputError, match=r"^1: a monitor cannot read a nested tensor, got one of"):
        model(nested())
    monitor.detach()


@pytest.mark.parametrize("batch_first", [True, False])
def test_attention_has_the_batch_first_there(batch_first):
    class Own(nn.TransformerEncoderLayer):
        def forward(self, src):
            return self.linear1(src)

    torch.manual_seed(0)
    layer = Own(4, 2, 8, 0.0, batch_first=batch_first).double()
    reg = rz.Regularization(layer, [rz.activity(rz.L1(1.0), where="")])
    layer(nested())
    expected = total([layer.linear1(x) for x in sequences()], torch.abs) / 2
    torch.testing.assert_close(reg.penalty(), expected)
