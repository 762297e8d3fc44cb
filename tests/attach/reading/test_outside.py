"""Penalties written outside of the library, at sites: their own formula on every path."""

import pytest
import torch
from torch import nn

import regularizers as rz
from penalties.outside import (
    Asymmetric,
    Doubled,
    Fast,
    Forgetful,
    Leaning,
    Log,
    Quartic,
    Saturating,
    Signed,
    Signs,
    Thirds,
    Towards,
    count,
    plain,
    several,
)
from regularizers.errors import StrengthTypeError
from regularizers.penalties import Strength
from regularizers.penalties.kernels import thresholds

PATHS = {
    "copies": {},
    "at once": {(thresholds, "COPIED"): 0},
    "pieces": {
        (thresholds, "COPIED"): 0,
        (thresholds, "BY_AUTOGRAD"): 3,
        (thresholds, "PIECE"): 7,
        (thresholds, "GRADIENT_AT_ONCE"): 14,
    },
}


@pytest.fixture(params=PATHS)
def path(request, monkeypatch):
    """Read outputs as those of another size would be."""
    for (module, name), value in PATHS[request.param].items():
        monkeypatch.setattr(module, name, value)
    return request.param


def states(dtype=torch.float64):
    x = torch.randn(4, 5, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return x.to(dtype).requires_grad_()


def delivered(penalty, x, delivery, **options):
    """Return the penalty of `x` and its gradient there."""
    model = nn.Sequential(options.pop("producer", nn.Identity()))
    site = rz.activity(penalty, where="0", **options)
    reg = rz.Regularization(model, [site], delivery=delivery)
    y = model(x)
    if delivery == "inject":
        (gradient,) = torch.autograd.grad(reg.scale_from(0 * y.sum()), x)
        return sum(reg.penalties().values()), gradient
    value = reg.penalty()
    (gradient,) = torch.autograd.grad(value, x)
    return value.item(), gradient


def expected(penalty, x, producer=None):
    x = x.detach().double().requires_grad_()
    value = plain(penalty, x if producer is None else producer(x))
    (gradient,) = torch.autograd.grad(value, x)
    return value.item(), gradient


@pytest.mark.parametrize(
    "options", [{}, {"select": lambda y: y}, {"copy": True}], ids=["", "select", "copy"]
)
@pytest.mark.parametrize("delivery", ["collect", "inject"])
@pytest.mark.parametrize("penalty", several(), ids=repr)
def test_the_formula_of_the_class_is_what_a_site_is_penalised_by(penalty, delivery, options, path):
    value, gradient = delivered(penalty, states(), delivery, **options)
    settled = [p for p in several(reduce="batch_mean") if p == batch_mean(penalty)]
    wanted, slope = expected(settled[0], states())
    assert value == pytest.approx(wanted, rel=1e-9)
    torch.testing.assert_close(gradient, slope)


def batch_mean(penalty):
    return several(reduce="batch_mean")[[p == penalty for p in several()].index(True)]


@pytest.mark.parametrize("delivery", ["collect", "inject"])
@pytest.mark.parametrize(
    "penalty", [p(0.5, reduce="mean") for p in (Signed, Quartic, Saturating, Log)], ids=repr
)
def test_half_precision(penalty, delivery, path):
    value, gradient = delivered(penalty, states(torch.bfloat16), delivery)
    wanted, slope = expected(penalty, states(torch.bfloat16))
    assert value == pytest.approx(wanted, rel=1e-5)
    torch.testing.assert_close(gradient, slope.bfloat16())


@pytest.mark.parametrize("delivery", ["collect", "inject"])
@pytest.mark.parametrize("producer", [nn.ReLU(), nn.Sigmoid(), nn.Tanh()], ids=str)
@pytest.mark.parametrize("penalty", [Signed(0.5), Signs(0.5), Asymmetric(0.5)], ids=repr)
def test_what_a_producer_saves_anyway_is_not_taken_for_signs(penalty, producer, delivery, path):
    value, gradient = delivered(penalty, states(), delivery, producer=producer, reduce="sum")
    wanted, slope = expected(penalty, states(), producer)
    assert value == pytest.approx(wanted, rel=1e-9)
    torch.testing.assert_close(gradient, slope)


@pytest.mark.parametrize("size", [2**14 + 3, 2**19 + 5, 2**20 + 7])
@pytest.mark.parametrize("penalty", [Signed(0.5), Asymmetric(0.5), Quartic(0.5)], ids=repr)
def test_sizes_at_which_outputs_are_read_in_other_ways(penalty, size):
    x = torch.linspace(-2, 2, size).reshape(1, size).requires_grad_()
    value, gradient = delivered(penalty, x, "collect")
    wanted, slope = expected(penalty, x)
    assert value == pytest.approx(wanted, rel=1e-5)
    torch.testing.assert_close(gradient, slope.float())


def test_settings_of_two_sites_are_not_confused():
    x = states()
    model = nn.Sequential(nn.Identity(), nn.Identity())
    rules = [
        rz.activity(Leaning(1.0, left=left), where=name, reduce="sum")
        for name, left in (("0", 2.0), ("1", 7.0))
    ]
    reg = rz.Regularization(model, rules)
    model(x)
    both = x.relu().sum() * 2 + (-x).relu().sum() * 9
    torch.testing.assert_close(reg.penalty(), both)


@pytest.mark.parametrize("penalty", [Signed(0.5), Quartic(0.5), Log(0.5), Forgetful(0.5)], ids=repr)
def test_differentiated_again(penalty, path):
    x = states()
    reg = rz.Regularization(model := nn.Sequential(nn.Tanh()), [rz.activity(penalty, where="0")])
    model(x)
    (gradient,) = torch.autograd.grad(reg.penalty(), x, create_graph=True)
    (second,) = torch.autograd.grad(gradient.square().sum(), x)
    value = plain(penalty, x.tanh()) / len(x)
    (wanted,) = torch.autograd.grad(value, x, create_graph=True)
    (twice,) = torch.autograd.grad(wanted.square().sum(), x)
    torch.testing.assert_close(gradient, wanted)
    torch.testing.assert_close(second, twice)


@pytest.mark.parametrize("penalty", several(), ids=repr)
def test_weights_in_the_loss_and_within_the_step(penalty, monkeypatch):
    monkeypatch.setattr(thresholds, "PIECE", 7)
    torch.manual_seed(0)
    layer = nn.Linear(5, 4, bias=False).double()
    before = layer.weight.detach().clone()
    value, slope = expected(penalty, before)
    reg = rz.Regularization(layer, [rz.kernel(penalty)])
    torch.testing.assert_close(reg.penalty().item(), value)
    (gradient,) = torch.autograd.grad(reg.penalty(), layer.weight)
    torch.testing.assert_close(gradient, slope)
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.5)
    reg.attach(optimizer)
    (0 * layer(torch.ones(1, 5).double())).sum().backward()
    optimizer.step()
    torch.testing.assert_close(layer.weight.detach(), before - 0.5 * slope)


@pytest.mark.parametrize(
    "kind", [Signed, Quartic, Saturating, Thirds, Fast, Doubled, Log, Forgetful]
)
def test_compiled(kind, compiler):
    model = nn.Sequential(nn.Tanh())
    reg = rz.Regularization(model, [rz.activity(kind(0.5), where="0")])
    x = states()

    def loss(x):
        return 0 * model(x).sum() + reg.penalty()

    (gradient,) = torch.autograd.grad(torch.compile(loss, backend="aot_eager")(x), x)
    of = kind(0.5, reduce="batch_mean")
    _, slope = expected(of, states(), torch.tanh)
    torch.testing.assert_close(gradient, slope)


def test_a_function_that_is_not_0_at_0_counts_what_the_mask_leaves(path):
    x = states()
    mask = torch.tensor([True, False, True, True])
    penalty = Towards(0.5, reduce="batch_mean")
    value, gradient = delivered(penalty, x, "collect", mask=lambda _: mask)
    wanted, slope = expected(penalty, x[mask])
    assert value == pytest.approx(wanted)
    torch.testing.assert_close(gradient[mask], slope)
    assert not gradient[~mask].any()


def test_the_number_of_samples_is_what_is_divided_by():
    forgetful = Forgetful(1.0, reduce="batch_mean")
    assert count(states(), forgetful) == 4
    value, _ = delivered(Forgetful(1.0), states(), "collect")
    assert value == pytest.approx(3 * states().square().log1p().sum().item() / 4)


def test_a_strength_of_an_unknown_kind_is_refused():
    class Mine(Strength):
        def __mul__(self, factor):
            return self

    with pytest.raises(StrengthTypeError, match=r"weight/kernel/L1: .* got Mine, .*rz.Schedule"):
        rz.Regularization(nn.Linear(2, 2), [rz.kernel(rz.L1(Mine()))])
    with pytest.raises(StrengthTypeError, match=r"0/activity/L1: .* got Mine"):
        rz.Regularization(
            nn.Sequential(nn.ReLU()), [rz.activity(2 * rz.L1(Mine()), where="0")], delivery="inject"
        )


def test_a_schedule_written_outside_is_a_strength():
    class Steps(rz.Schedule):
        def at(self, step):
            return 0.25

    layer = nn.Linear(2, 2, bias=False)
    reg = rz.Regularization(layer, [rz.kernel(rz.L1(Steps()))])
    torch.testing.assert_close(reg.penalty(), 0.25 * layer.weight.abs().sum())
