"""Weights of units at activities: both the output and the weights get their gradient."""

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

import regularizers as rz
from attach.helpers import batch
from regularizers.errors import (
    ArrayTypeError,
    ConfigurationError,
    RegimeError,
    RegularizersError,
    ShapeError,
)

PENALTIES = {
    "L1": (rz.L1(0.3), Tensor.abs, 0.3),
    "L2Squared": (rz.L2Squared(0.5), Tensor.square, 0.5),
    "Huber": (
        rz.Huber(0.7, 0.5),
        lambda x: torch.where(x.abs() <= 0.5, x * x / 2, 0.5 * (x.abs() - 0.25)),
        0.7,
    ),
    "Lp": (rz.Lp(0.3, 1.5), lambda x: x.abs().pow(1.5), 0.3),
    "Elementwise": (
        rz.Elementwise(0.4, lambda xp, x: xp.log1p(x * x), name="Cauchy"),
        lambda x: x.square().log1p(),
        0.4,
    ),
}
"""Penalties, the function of each element by hand, and the strength."""
every_penalty = pytest.mark.parametrize("name", PENALTIES)
every_delivery = pytest.mark.parametrize("delivery", ["collect", "inject"])


class Coder(nn.Module):
    """An autoencoder, whose codes are penalised by the norms of the decoder's columns."""

    def __init__(self, rows: int = 4, codes: int = 6) -> None:
        super().__init__()
        self.encoder, self.act = nn.Linear(rows, codes), nn.ReLU()
        self.decoder = nn.Linear(codes, rows)

    def forward(self, x: Tensor) -> Tensor:
        return self.decoder(self.act(self.encoder(x)))


def norms(model: Coder) -> Tensor:
    return model.decoder.weight.norm(dim=0)


def coder() -> Coder:
    torch.manual_seed(0)
    return Coder().double()


def task(model: nn.Module, x: Tensor) -> Tensor:
    return (model(x) - x).square().mean()


def deliver(reg: rz.Regularization, loss: Tensor, delivery: str) -> Tensor:
    return loss + reg.penalty() if delivery == "collect" else reg.scale_from(loss)


def assert_same_gradients(model: nn.Module, twin: nn.Module) -> None:
    for (name, got), wanted in zip(model.named_parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(
            got.grad, wanted.grad, msg=lambda m, name=name: f"gradient of {name}: {m}"
        )


@every_delivery
@every_penalty
@pytest.mark.parametrize("reduce", ["sum", "mean", "batch_mean"])
@pytest.mark.parametrize("scale", [1.0, 64.0])
def test_the_codes_and_the_decoder_get_their_gradient(name, delivery, reduce, scale):
    penalty, element, strength = PENALTIES[name]
    model, twin, x = coder(), coder(), batch(5)
    rule = rz.activity(penalty, where="act", weights=norms, reduce=reduce)
    reg = rz.Regularization(model, [rule], delivery=delivery)
    (scale * deliver(reg, task(model, x), delivery)).backward()
    codes = twin.act(twin.encoder(x))
    value = strength * (norms(twin) * element(codes)).sum()
    value = value / {"sum": 1, "mean": codes.numel(), "batch_mean": 5}[reduce]
    (scale * (task(twin, x) + value)).backward()
    assert_same_gradients(model, twin)
    (key,) = reg.penalties()
    assert reg.penalties()[key] == pytest.approx(value.item())


@every_delivery
def test_a_tensor_that_requires_a_gradient_gets_one(delivery):
    model, x = coder(), batch(5)
    weights = torch.rand(6, dtype=torch.float64, requires_grad=True)
    rule = rz.activity(rz.L1(0.3), where="act", weights=weights)
    reg = rz.Regularization(model, [rule], delivery=delivery)
    deliver(reg, task(model, x), delivery).backward()
    codes = model.act(model.encoder(x)).detach()
    torch.testing.assert_close(weights.grad, 0.3 * codes.abs().mean(0))


@every_delivery
def test_masked_elements_count_in_neither_gradient(delivery):
    model = nn.Identity()
    mask = torch.tensor([True, False, True, True, False])
    x = torch.randn(5, 3, dtype=torch.float64)
    x[1] = float("nan")
    x.requires_grad_()
    weights = torch.rand(3, dtype=torch.float64, requires_grad=True)
    rule = rz.activity(rz.L1(0.3), where="", weights=weights, mask=lambda inputs: mask)
    reg = rz.Regularization(model, [rule], delivery=delivery)
    deliver(reg, 0 * model(x).nan_to_num().sum(), delivery).backward()
    valid = x.detach()[mask]
    torch.testing.assert_close(weights.grad, 0.3 * valid.abs().sum(0) / 3)
    slopes = torch.zeros(5, 3, dtype=torch.float64)
    slopes[mask] = 0.3 * weights.detach() * valid.sign() / 3
    torch.testing.assert_close(x.grad, slopes)


SHAPES = {
    "tokens": ((5, 3, 6), (0, 1), (6,)),
    "sequences": ((5, 3, 6), 0, (6,)),
    "sequences, each step": ((5, 3, 6), 0, (3, 1)),
    "time first": ((3, 5, 6), 1, (6,)),
    "images": ((5, 3, 2, 2), 0, (3, 1, 1)),
    "one number": ((5, 6), 0, ()),
    "whole": ((5, 6), 0, (6,)),
}


@pytest.mark.parametrize("name", SHAPES)
def test_weights_broadcast_to_the_units_of_a_sample(name):
    shape, axes, sizes = SHAPES[name]
    model = nn.Identity()
    x = torch.randn(shape, dtype=torch.float64, requires_grad=True)
    weights = torch.rand(sizes, dtype=torch.float64, requires_grad=True)
    reg = rz.Regularization(
        model, [rz.activity(rz.L1(0.3), where="", weights=weights, batch_axis=axes)]
    )
    model(x)
    by_axis = (axes,) if isinstance(axes, int) else axes
    samples = torch.Size([shape[axis] for axis in by_axis]).numel()
    moved = x.movedim(by_axis, tuple(range(len(by_axis))))
    expected = 0.3 * (moved.abs() * weights).sum() / samples
    value = reg.penalty()
    torch.testing.assert_close(value, expected)
    torch.testing.assert_close(
        torch.autograd.grad(value, [x, weights]), torch.autograd.grad(expected, [x, weights])
    )


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32], ids=str)
def test_half_precision_is_accumulated_in_float32(dtype):
    model = nn.Identity()
    x = torch.randn(64, 32).to(dtype).requires_grad_()
    weights = torch.rand(32).to(dtype).requires_grad_()
    reg = rz.Regularization(model, [rz.activity(rz.L2Squared(0.5), where="", weights=weights)])
    model(x)
    value = reg.penalty()
    assert value.dtype == torch.float32
    wide, w = x.detach().float(), weights.detach().float()
    torch.testing.assert_close(value, 0.5 * (w * wide * wide).sum() / 64)
    of_x, of_w = torch.autograd.grad(value, [x, weights])
    torch.testing.assert_close(of_x, (w * wide / 64).to(dtype))
    torch.testing.assert_close(of_w, (0.5 * wide.square().mean(0)).to(dtype))


def test_an_empty_batch_costs_nothing():
    model = nn.Identity()
    x = torch.zeros(0, 3, requires_grad=True)
    weights = torch.ones(3, requires_grad=True)
    reg = rz.Regularization(model, [rz.activity(rz.L1(0.3), where="", weights=weights)])
    model(x)
    reg.penalty().backward()
    assert x.grad.shape == (0, 3)
    assert torch.equal(weights.grad, torch.zeros(3))


def test_nan_and_inf_are_seen():
    model = nn.Identity()
    reg = rz.Regularization(model, [rz.activity(rz.L1(1.0), where="", weights=torch.ones(2))])
    for value in (float("nan"), float("inf")):
        model(torch.tensor([[1.0, value]], requires_grad=True))
        torch.testing.assert_close(reg.penalty().item(), value, equal_nan=True)


def test_several_terms_share_the_weights_and_the_report_says_so():
    model, x = coder(), batch(5)
    rule = rz.activity(rz.L1L2(0.3, 0.2), where="act", weights=norms)
    reg = rz.Regularization(model, [rule])
    model(x)
    codes = model.encoder(x).relu()
    expected = (norms(model) * (0.3 * codes + 0.2 * codes.square())).sum() / 5
    torch.testing.assert_close(reg.penalty(), expected)
    assert [row.penalty for row in reg.report().rows] == [
        "L1(0.3) by weights",
        "L2Squared(0.2) by weights",
    ]
    assert str(rule).endswith("where='act', weights=...)")


@every_delivery
@pytest.mark.parametrize("reentrant", [False, True])
def test_in_a_checkpoint(delivery, reentrant):
    model, twin, x = coder(), coder(), batch(5).requires_grad_()
    rule = rz.activity(rz.L1(0.3), where="act", weights=norms)
    reg = rz.Regularization(model, [rule], delivery=delivery)
    loss = checkpoint(lambda x: task(model, x), x, use_reentrant=reentrant)
    if reentrant and delivery == "collect":
        with pytest.raises(RegimeError, match="reentrant checkpoint"):
            reg.penalty()
        return
    deliver(reg, loss, delivery).backward()
    codes = twin.act(twin.encoder(x))
    (task(twin, x) + 0.3 * (norms(twin) * codes).sum() / 5).backward()
    assert_same_gradients(model, twin)


def test_gradients_of_gradients_are_right():
    model = nn.Identity()
    x = torch.randn(3, 2, dtype=torch.float64, requires_grad=True)
    weights = torch.rand(2, dtype=torch.float64, requires_grad=True)
    rule = rz.activity(rz.Lp(0.3, 3.0), where="", weights=weights, reduce="sum")
    reg = rz.Regularization(model, [rule])

    def penalty(x: Tensor, w: Tensor) -> Tensor:
        model(x)
        return reg.penalty()

    model(x)
    slopes = torch.autograd.grad(reg.penalty(), [x, weights], create_graph=True)
    by_hand = torch.autograd.grad(
        0.3 * (weights * x.abs() ** 3).sum(), [x, weights], create_graph=True
    )
    for got, wanted in zip(slopes, by_hand, strict=True):
        torch.testing.assert_close(got, wanted)
        torch.testing.assert_close(
            torch.autograd.grad(got.sum(), [x, weights], retain_graph=True, allow_unused=True),
            torch.autograd.grad(wanted.sum(), [x, weights], retain_graph=True, allow_unused=True),
        )


def test_functional_call_reads_the_weights_of_its_forward():
    model, x = coder(), batch(5)
    reg = rz.Regularization(model, [rz.activity(rz.L1(0.3), where="act", weights=norms)])
    parameters = {name: (2 * p).detach().requires_grad_() for name, p in model.named_parameters()}
    torch.func.functional_call(model, parameters, (x,))
    value = reg.penalty()
    twin = coder()
    twin.load_state_dict({name: p.detach() for name, p in parameters.items()})
    expected = 0.3 * (norms(twin) * twin.act(twin.encoder(x))).sum() / 5
    torch.testing.assert_close(value, expected)
    got = torch.autograd.grad(value, parameters["decoder.weight"])
    wanted = torch.autograd.grad(expected, twin.decoder.weight)
    torch.testing.assert_close(got, wanted)


def test_compiled_it_is_the_same(compiler):
    model, twin, x = coder(), coder(), batch(5)
    reg = rz.Regularization(model, [rz.activity(rz.L1(0.3), where="act", weights=norms)])
    compiled = torch.compile(model, backend="aot_eager")
    loss = (compiled(x) - x).square().mean() + reg.penalty()
    loss.backward()
    codes = twin.act(twin.encoder(x))
    (task(twin, x) + 0.3 * (norms(twin) * codes).sum() / 5).backward()
    assert_same_gradients(model, twin)


@every_delivery
def test_a_target_measures_the_output_itself(delivery):
    model, x = coder(), batch(64)
    weights = torch.rand(6, dtype=torch.float64) + 0.5
    rule = rz.activity(rz.L1(rz.TargetActive(2)), where="act", weights=weights)
    reg = rz.Regularization(model, [rule], delivery=delivery)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(400):
        optimizer.zero_grad()
        deliver(reg, task(model, x), delivery).backward()
        optimizer.step()
        reg.step()
    active = (model.act(model.encoder(x)) > 0).double().sum(dim=1).mean().item()
    (reached,) = reg.targets().values()
    assert reached.measured == pytest.approx(active, rel=0.1)
    assert active == pytest.approx(2, abs=0.5)


def test_the_gauge_measures_the_weighted_gradient():
    model, x = coder(), batch(5)
    weights = torch.rand(6, dtype=torch.float64)
    rule = rz.activity(rz.L1(rz.TargetActive(2)), where="act", weights=weights)
    reg = rz.Regularization(model, [rule])
    (gauge,) = reg._control.targets.gauges("output").values()
    (task(model, x) + reg.penalty()).backward()
    strength = next(iter(reg.strengths.values()))
    codes = model.act(model.encoder(x)).detach()
    slope = strength * weights * codes.sign() / 5
    penalty = gauge._squares["penalty"]
    torch.testing.assert_close(penalty, slope.square().sum(), rtol=1e-6, atol=0)


@pytest.mark.parametrize("use_copy", [False, True])
def test_a_change_in_place_after_the_site_raises_or_is_copied(use_copy):
    class Squares(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear, self.site = nn.Linear(4, 6), nn.Identity()

        def forward(self, x: Tensor) -> Tensor:
            y = self.site(self.linear(x))
            y += 1
            return y

    model, x = Squares().double(), batch(5)
    weights = torch.ones(6, dtype=torch.float64)
    rule = rz.activity(rz.L1(0.3), where="site", weights=weights, copy=use_copy)
    reg = rz.Regularization(model, [rule])
    loss = model(x).sum() * 0 + reg.penalty()
    if not use_copy:
        with pytest.raises(RegimeError, match=r"site: the output was changed in place .*copy=True"):
            loss.backward()
        return
    loss.backward()
    slope = 0.3 / 5 * model.linear(x).detach().sign()
    torch.testing.assert_close(model.linear.bias.grad, slope.sum(0))


def test_injected_at_a_frozen_output_weights_with_a_gradient_are_refused():
    model, x = coder(), batch(5)
    model.encoder.requires_grad_(False)
    rule = rz.activity(rz.L1(0.3), where="act", weights=norms)
    reg = rz.Regularization(model, [rule], delivery="inject")
    with pytest.raises(RegimeError, match=r"act: the output needs no gradient, .*'collect'"):
        model(x)
    reg.detach()


def test_collected_at_a_frozen_output_the_weights_get_their_gradient():
    model, x = coder(), batch(5)
    model.encoder.requires_grad_(False)
    reg = rz.Regularization(model, [rz.activity(rz.L1(0.3), where="act", weights=norms)])
    model(x)
    reg.penalty().backward()
    twin = coder()
    (0.3 * (norms(twin) * twin.act(twin.encoder(x)).detach()).sum() / 5).backward()
    torch.testing.assert_close(model.decoder.weight.grad, twin.decoder.weight.grad)


@pytest.mark.parametrize(
    ("weights", "error", "message"),
    [
        (torch.ones(5), ShapeError, r"broadcasts to \(6,\), the units .* got \(5,\); batch_axis="),
        (torch.ones(5, 6), ShapeError, r"broadcasts to \(6,\), .* got \(5, 6\)"),
        (torch.full((6,), -0.5), ConfigurationError, r"not negative, got -0\.5 at the least"),
        (torch.ones(6).int(), ArrayTypeError, r"real floating type, .* got torch\.int32"),
        (lambda model: 3.0, ArrayTypeError, "got float"),
    ],
    ids=["shape", "batch", "negative", "integers", "number"],
)
def test_weights_that_do_not_fit_raise_with_the_site(weights, error, message):
    model = coder()
    reg = rz.Regularization(model, [rz.activity(rz.L1(0.3), where="act", weights=weights)])
    with pytest.raises(error, match=rf"^act: weights: .*{message}"):
        model(batch(5))
    with pytest.raises(RegularizersError):
        reg.penalty()


@pytest.mark.parametrize(
    ("penalty", "weights", "message"),
    [
        (rz.L2Norm(1.0), torch.ones(6), r"activity: weights= .* sums over elements, .* L2Norm"),
        (rz.KLSparsity(1.0, 0.1), torch.ones(6), "sums over elements"),
        (rz.AR(1.0) + rz.L2Norm(1.0), torch.ones(6), "sums over elements"),
        (rz.L1(1.0), [1.0, 2.0], "expected a tensor over the units .* got list"),
        (rz.L1(1.0), nn.Linear(2, 2), "got Linear"),
    ],
    ids=["L2Norm", "KL", "sum", "list", "module"],
)
def test_what_cannot_be_weighted_raises_where_the_rule_is_written(penalty, weights, message):
    with pytest.raises(ConfigurationError, match=message):
        rz.activity(penalty, where="act", weights=weights)


def test_a_copy_of_the_model_and_evaluation_are_untouched():
    model, x = coder(), batch(5)
    reg = rz.Regularization(model, [rz.activity(rz.L1(0.3), where="act", weights=norms)])
    twin = copy.deepcopy(model)
    twin(x)
    model.eval()(x)
    assert not reg.penalties()
