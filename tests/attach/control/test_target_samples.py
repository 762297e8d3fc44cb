"""What a target counts as a sample is what a Monitor counts as one."""

import warnings

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence

import regularizers as rz
from regularizers.errors import ConfigurationError

LENGTHS = torch.tensor([6, 2, 4])


class First(nn.Module):
    """The first part of what a module puts out, with what a loss needs of it."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, *inputs):
        output = self.module(*inputs)
        x = output[0] if isinstance(output, tuple) else output
        return x.data if isinstance(x, nn.utils.rnn.PackedSequence) else x


def measured(module, *inputs, target, delivery="collect", **options):
    """Return what a target measured of one step, and what a Monitor says of the same forward."""
    model = First(module)
    rule = rz.activity(rz.L1(target), where="module", **options)
    reg = rz.Regularization(model, [rule], delivery=delivery)
    metric = rz.monitor.Norm() if isinstance(target, rz.TargetNorm) else rz.monitor.ActiveUnits()
    monitor = rz.Monitor(model, "module", [metric], select=options.get("select"))
    loss = model(*inputs).square().mean()
    (loss + reg.penalty() if delivery == "collect" else reg.scale_from(loss)).backward()
    reg.step()
    (reached,) = reg.targets().values()
    reg.detach()
    monitor.detach()
    name = "norm" if isinstance(target, rz.TargetNorm) else "active_units"
    return reached.measured, monitor.as_dict()[f"module/{name}"]


def rnn(*, batch_first: bool = True) -> nn.RNN:
    torch.manual_seed(0)
    return nn.RNN(4, 16, nonlinearity="relu", batch_first=batch_first).double()


def x_of(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


targets = pytest.mark.parametrize("target", [rz.TargetActive(5), rz.TargetNorm(1.0)], ids=repr)
deliveries = pytest.mark.parametrize("delivery", ["collect", "inject"])


@targets
@deliveries
@pytest.mark.parametrize("batch_first", [True, False])
def test_each_step_of_each_sequence(target, delivery, batch_first):
    module, x = rnn(batch_first=batch_first), x_of(3, 6)
    actual, seen = measured(module, x, target=target, delivery=delivery)
    y, _ = module(x)
    by_hand = (y > 0).sum(dim=-1).double() if isinstance(target, rz.TargetActive) else y.norm(dim=2)
    assert actual == pytest.approx(by_hand.mean().item(), rel=1e-9)
    assert actual == pytest.approx(seen, rel=1e-6)


@targets
def test_one_sequence_without_a_batch(target):
    actual, seen = measured(rnn(), x_of(6), target=target)
    assert actual == pytest.approx(seen, rel=1e-6)


@targets
@deliveries
def test_a_packed_sequence_has_its_valid_steps(target, delivery):
    module = rnn()
    packed = pack_padded_sequence(x_of(3, 6), LENGTHS, batch_first=True, enforce_sorted=False)
    actual, seen = measured(module, packed, target=target, delivery=delivery)
    y = module(packed)[0].data
    by_hand = (y > 0).sum(dim=1).double() if isinstance(target, rz.TargetActive) else y.norm(dim=1)
    assert len(y) == 12
    assert actual == pytest.approx(by_hand.mean().item(), rel=1e-9)
    assert actual == pytest.approx(seen, rel=1e-6)


def test_a_mask_leaves_steps_out():
    module, x = rnn(), x_of(3, 6)
    valid = torch.arange(6) < LENGTHS[:, None]
    reg = rz.Regularization(module, [rz.activity(rz.L1(rz.TargetActive(5)), where="")])
    with reg.mask(valid, where=""):
        y, _ = module(x)
    (y.sum() + reg.penalty()).backward()
    reg.step()
    expected = (y[valid] > 0).sum(dim=1).double().mean().item()
    assert reg.targets()["model/activity/L1"].measured == pytest.approx(expected, rel=1e-9)


def test_what_is_said_of_a_recurrent_layer_goes_before_what_it_knows():
    module, x = rnn(), x_of(3, 6)
    actual, _ = measured(module, x, target=rz.TargetActive(5), batch_axis=0)
    y, _ = module(x)
    assert actual == pytest.approx((y > 0).sum().item() / 3, rel=1e-9)


class Rectified(nn.TransformerEncoderLayer):
    def forward(self, src):
        return super().forward(src).relu()


@pytest.mark.parametrize("batch_first", [True, False])
def test_each_token_of_attention(batch_first):
    torch.manual_seed(0)
    module = Rectified(4, 2, 8, 0.0, batch_first=batch_first).double()
    x = x_of(3, 6)
    actual, seen = measured(module, x, target=rz.TargetActive(2))
    assert actual == pytest.approx((module(x) > 0).sum().item() / 18, rel=1e-9)
    assert actual == pytest.approx(seen, rel=1e-6)


def test_the_monitor_counts_tokens_of_a_batch_that_comes_second():
    module = nn.MultiheadAttention(4, 2).double()
    x = x_of(6, 3)
    monitor = rz.Monitor(module, "", [rz.monitor.Norm()], select=0)
    y, _ = module(x, x, x)
    assert monitor.as_dict()["model/norm"] == pytest.approx(y.norm(dim=2).mean().item(), rel=1e-6)


def test_the_penalty_stays_per_sequence():
    module, x = rnn(batch_first=False), x_of(6, 3)
    reg = rz.Regularization(module, [rz.activity(rz.L1(rz.TargetActive(5, initial=1.0)), where="")])
    y, _ = module(x)
    strength = next(iter(reg.strengths.values()))
    torch.testing.assert_close(reg.penalty(), strength * y.abs().sum() / 3)


def test_more_units_than_features():
    module = rnn()
    reg = rz.Regularization(module, [rz.activity(rz.L1(rz.TargetActive(17)), where="")])
    with pytest.raises(ConfigurationError, match="expected a target of 16 active units or fewer"):
        module(x_of(3, 6))
    reg.detach()


# where the axes are not known


def three_axes(**options):
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU()).double()
    penalty = rz.L1(rz.TargetActive(5), **options)
    return model, rz.Regularization(model, [rz.activity(penalty, where="1")])


def active(model, reg, x):
    y = model(x)
    (y.sum() + reg.penalty()).backward()
    reg.step()
    return reg.targets()["1/activity/L1"].measured, (y > 0).sum().item()


def warned(model, x):
    """Return the warnings of a forward."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        model(x)
    return [str(one.message) for one in said]


def test_three_axes_are_asked_about_once():
    model, reg = three_axes()
    message = (
        r"1: TargetActive\(5.0\) measures an output of three axes; the first .*"
        r"batch_axis=\(0,\) for the first as now, \(1,\) if .*\(0, 1\) if each token"
    )
    with pytest.warns(UserWarning, match=message):
        model(x_of(3, 6))
    assert warned(model, x_of(3, 6)) == []
    assert warned(model, x_of(3, 7)) == []  # another shape has a plan of its own
    reg.detach()


@pytest.mark.parametrize(
    ("axes", "samples"), [((0,), 3), (0, 3), ((1,), 6), ((0, 1), 18)], ids=repr
)
def test_an_answer_is_taken(axes, samples):
    model, reg = three_axes(batch_axis=axes)
    measured, total = active(model, reg, x_of(3, 6))
    assert measured == pytest.approx(total / samples, rel=1e-9)


@pytest.mark.parametrize("shape", [(5,), (3, 2, 6)], ids=repr)
def test_other_outputs_are_not_asked_about(shape):
    model, reg = three_axes()
    measured, total = active(model, reg, x_of(*shape))
    assert measured == pytest.approx(total / shape[0], rel=1e-9)


@pytest.mark.parametrize("target", [rz.TargetMean(0.1), rz.TargetActive(fraction=0.1)], ids=repr)
def test_what_counts_elements_is_not_asked_about(target):
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU()).double()
    reg = rz.Regularization(model, [rz.activity(rz.L1(target), where="1")])
    assert warned(model, x_of(3, 6)) == []
    reg.detach()


def test_channels_come_second_in_a_convolution():
    model = nn.Sequential(nn.Conv1d(6, 5, 1), nn.BatchNorm1d(5)).double()
    target = rz.TargetActive(5, threshold=0.1)
    reg = rz.Regularization(model, [rz.activity(rz.L1(target), where=["0", "1"])])
    assert warned(model, x_of(3, 6)) == []
    reg.detach()


def test_a_penalty_without_a_target_and_a_monitor_are_not_asked_about():
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU()).double()
    reg = rz.Regularization(model, [rz.activity(rz.L1(1.0), where="1")])
    monitor = rz.Monitor(model, "1", [rz.monitor.ActiveUnits()])
    y = model(x_of(3, 6))
    torch.testing.assert_close(reg.penalty(), y.sum() / 3)
    assert monitor.as_dict()["1/active_units"] == (y > 0).sum().item() / 3


@pytest.mark.usefixtures("compiler")
def test_compiled_it_is_said_when_the_program_is_made():
    model, reg = three_axes()
    compiled = torch.compile(model, backend="eager", fullgraph=True)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        for _ in range(3):
            (compiled(x_of(3, 6)).sum() + reg.penalty()).backward()
    assert ["three axes" in str(one.message) for one in said] == [True]
