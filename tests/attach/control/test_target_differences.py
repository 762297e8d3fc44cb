"""Targets at temporal penalties: what is measured are the differences between steps of time."""

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence

import regularizers as rz
from attach.control.driving import deliver, from_json, saved

LENGTHS = torch.tensor([6, 2, 4])
deliveries = pytest.mark.parametrize("delivery", ["collect", "inject"])


def inputs(*shape, seed=1):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def rnn(**options):
    torch.manual_seed(0)
    return nn.GRU(4, 5, **options).double()


def stepped(module, rule, forward, delivery):
    """Take a step, and return the saved state of its target."""
    reg = rz.Regularization(module, [rule], delivery=delivery)
    deliver(reg, forward(reg).square().sum(), delivery)
    reg.step()
    return saved(reg)


def by_hand(y, valid=None):
    """Return the mean norm of differences, the scale, and how many differences there are.

    The loss is the sum of squares of valid outputs; time is the second axis.
    """
    valid = torch.ones(y.shape[:2], dtype=torch.bool) if valid is None else valid
    leaf = y.detach().clone().requires_grad_()
    steps = (leaf[:, 1:] - leaf[:, :-1])[valid[:, 1:] & valid[:, :-1]]
    norms = steps.square().sum(-1).sqrt()
    (slope,) = torch.autograd.grad(steps.square().mean(), leaf)
    pull = 2 * leaf.detach() * valid[..., None]
    return norms.mean().item(), (pull.norm() / slope.norm()).item(), len(steps)


@deliveries
@pytest.mark.parametrize("batch_first", [True, False])
def test_a_sample_is_each_step_of_each_sequence(batch_first, delivery):
    module = rnn(batch_first=batch_first)
    x = inputs(3, 6, 4) if batch_first else inputs(6, 3, 4)
    rule = rz.tar(rz.TargetNorm(1.0), where="")
    state = stepped(module, rule, lambda reg: module(x)[0], delivery)
    y = module(x)[0]
    norm, scale, count = by_hand(y if batch_first else y.transpose(0, 1))
    assert count == 15
    assert state["law"]["measured_total"] == pytest.approx(norm, rel=1e-12)
    assert state["scale"] == pytest.approx(scale, rel=1e-9)


@deliveries
def test_differences_to_padding_are_left_out(delivery):
    module, x = rnn(batch_first=True), inputs(3, 6, 4)
    valid = torch.arange(6) < LENGTHS[:, None]

    def forward(reg):
        with reg.mask(valid, where=""):
            return module(x)[0][valid]

    state = stepped(module, rz.tar(rz.TargetNorm(1.0), where=""), forward, delivery)
    norm, scale, count = by_hand(module(x)[0], valid)
    assert count == 9
    assert state["law"]["measured_total"] == pytest.approx(norm, rel=1e-12)
    assert state["scale"] == pytest.approx(scale, rel=1e-9)


@deliveries
@pytest.mark.parametrize("is_sorted", [True, False])
def test_a_packed_sequence_knows_its_padding(is_sorted, delivery):
    module, x = rnn(batch_first=True), inputs(3, 6, 4)
    lengths = LENGTHS.sort(descending=True).values if is_sorted else LENGTHS
    valid = torch.arange(6) < lengths[:, None]
    packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=is_sorted)
    rule = rz.tar(rz.TargetNorm(1.0), where="")
    state = stepped(module, rule, lambda reg: module(packed)[0].data, delivery)
    norm, scale, _ = by_hand(module(x)[0], valid)
    assert state["law"]["measured_total"] == pytest.approx(norm, rel=1e-12)
    assert state["scale"] == pytest.approx(scale, rel=1e-9)


@deliveries
@pytest.mark.parametrize("batch_axis", [None, 0])
def test_the_time_axis_of_another_module_is_stated(batch_axis, delivery):
    """If it is said that a sample is a sequence, its norm is over all of its differences."""
    torch.manual_seed(0)
    module, x = nn.Sequential(nn.Linear(4, 5), nn.Tanh()).double(), inputs(3, 6, 4)
    rule = rz.tar(rz.TargetNorm(1.0), where="1", time_axis=1, batch_axis=batch_axis)
    state = stepped(module, rule, lambda reg: module(x), delivery)
    y = module(x)
    norm, scale, _ = by_hand(y)
    if batch_axis == 0:
        norm = (y[:, 1:] - y[:, :-1]).square().sum((1, 2)).sqrt().mean().item()
    assert state["law"]["measured_total"] == pytest.approx(norm, rel=1e-12)
    assert state["scale"] == pytest.approx(scale, rel=1e-9)


@deliveries
def test_the_first_difference_may_be_to_the_initial_state(delivery):
    module, x, hx = rnn(batch_first=True), inputs(3, 6, 4), inputs(1, 3, 5, seed=2)
    rule = rz.tar(rz.TargetNorm(1.0), where="", carry=True)
    state = stepped(module, rule, lambda reg: module(x, hx)[0], delivery)
    y = torch.cat([hx.transpose(0, 1), module(x, hx)[0]], dim=1)
    norms = (y[:, 1:] - y[:, :-1]).norm(dim=2)
    assert norms.numel() == 18
    assert state["law"]["measured_total"] == pytest.approx(norms.mean().item(), rel=1e-12)


@deliveries
@pytest.mark.parametrize(
    ("target", "measure"),
    [
        (rz.TargetMean(0.1), lambda d: d.abs().mean()),
        (rz.TargetActive(2, threshold=0.1), lambda d: (d.abs() > 0.1).double().sum(-1).mean()),
        (rz.TargetActive(fraction=0.5, threshold=0.1), lambda d: (d.abs() > 0.1).double().mean()),
    ],
    ids=["mean", "active", "share"],
)
def test_every_target_measures_differences(target, measure, delivery):
    module, x = rnn(batch_first=True), inputs(3, 6, 4)
    rule = rz.activity(rz.Temporal(rz.L1(target)), where="")
    state = stepped(module, rule, lambda reg: module(x)[0], delivery)
    y = module(x)[0].detach()
    expected = measure(y[:, 1:] - y[:, :-1]).item()
    assert state["law"]["measured_total"] == pytest.approx(expected, rel=1e-12)


def trained(module, reg, steps, delivery, first=0):
    update = torch.optim.Adam(module.parameters(), 1e-2)
    found = []
    for step in range(first, first + steps):
        x = inputs(8, 6, 4, seed=step)
        update.zero_grad()
        deliver(reg, (module(x)[0] - 3 * x.sum(-1, keepdim=True).sin()).square().mean(), delivery)
        update.step()
        reg.step()
        found.append(dict(reg.strengths))
    return found


@deliveries
def test_it_is_reached(delivery):
    module = rnn(batch_first=True)
    rules = [rz.tar(rz.TargetNorm(0.5), where="")]
    reg = rz.Regularization(module, rules, delivery=delivery)
    trained(module, reg, 500, delivery)
    (reached,) = reg.targets().values()
    assert reached.measured == pytest.approx(0.5, rel=0.1)
    y = module(inputs(64, 6, 4, seed=9999))[0].detach()
    assert (y[:, 1:] - y[:, :-1]).norm(dim=2).mean().item() == pytest.approx(0.5, rel=0.15)


@deliveries
def test_an_interrupted_run_goes_on_bit_for_bit(delivery):
    def made():
        module = rnn(batch_first=True)
        rules = [rz.tar(rz.TargetNorm(0.5), where="")]
        return module, rz.Regularization(module, rules, delivery=delivery)

    module, reg = made()
    trained(module, reg, 37, delivery)
    state = from_json(reg)
    weights = {name: weight.clone() for name, weight in module.state_dict().items()}
    expected = trained(module, reg, 30, delivery, first=37)
    fresh, other = made()
    fresh.load_state_dict(weights)
    other.load_state_dict(state)
    assert from_json(other) == state
    assert trained(fresh, other, 30, delivery, first=37) == expected
