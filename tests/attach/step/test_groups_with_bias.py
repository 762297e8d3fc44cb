"""A group of an output takes its bias along: in the loss, in the step, and in the proximal step."""

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, prune

import regularizers as rz
from regularizers.errors import ConfigurationError, RegimeError, SelectionError

PENALTY = rz.GroupLasso(0.3, axis="output", with_bias=True)

LAYERS = {
    "linear": (lambda: nn.Linear(4, 3), 0, (5, 4)),
    "convolution": (lambda: nn.Conv2d(2, 3, 2), 0, (2, 2, 4, 4)),
    "grouped": (lambda: nn.Conv1d(4, 6, 2, groups=2), 0, (2, 4, 5)),
    "transposed": (lambda: nn.ConvTranspose1d(2, 3, 2), 1, (2, 2, 4)),
    "bilinear": (lambda: Squared(), 0, (5, 3)),
    "no bias": (lambda: nn.Linear(4, 3, bias=False), 0, (5, 4)),
}


class Squared(nn.Bilinear):
    def __init__(self) -> None:
        super().__init__(3, 3, 2)

    def forward(self, x):
        return super().forward(x, x)


def made(kind: str) -> tuple[nn.Module, int, torch.Tensor]:
    torch.manual_seed(0)
    make, axis, shape = LAYERS[kind]
    return make().double(), axis, torch.randn(shape).double()


def matrix(layer: nn.Module, axis: int) -> torch.Tensor:
    """Return a row for each output, its bias at the end, by plain indexing."""
    rows = [layer.weight.select(axis, i).flatten() for i in range(layer.weight.shape[axis])]
    if layer.bias is not None:
        rows = [torch.cat([row, layer.bias[i : i + 1]]) for i, row in enumerate(rows)]
    return torch.stack(rows)


def by_hand(layer: nn.Module, axis: int) -> torch.Tensor:
    return 0.3 * matrix(layer, axis).square().sum(dim=1).sqrt().sum()


@pytest.mark.parametrize("kind", LAYERS)
def test_in_the_loss_it_is_the_norm_of_row_and_bias(kind):
    layer, axis, x = made(kind)
    reg = rz.Regularization(layer, [rz.kernel(PENALTY)])
    layer(x)
    value, expected = reg.penalty(), by_hand(layer, axis)
    torch.testing.assert_close(value, expected, rtol=1e-12, atol=0)
    parameters = list(layer.parameters())
    torch.testing.assert_close(
        torch.autograd.grad(value, parameters), torch.autograd.grad(expected, parameters)
    )
    assert "with_bias=True" in str(reg.report())


@pytest.mark.parametrize("reduce", ["sum", "mean"])
def test_the_mean_counts_the_bias(reduce):
    layer, axis, x = made("linear")
    reg = rz.Regularization(layer, [rz.kernel(PENALTY, reduce=reduce)])
    layer(x)
    rows = matrix(layer, axis).square()
    expected = rows.sum(1).sqrt().sum() if reduce == "sum" else rows.mean(1).sqrt().mean()
    torch.testing.assert_close(reg.penalty(), 0.3 * expected)


@pytest.mark.parametrize("maximize", [False, True])
@pytest.mark.parametrize("kind", LAYERS)
def test_within_the_step_both_get_their_gradient(kind, maximize):
    layer, axis, x = made(kind)
    expected = made(kind)[0]
    sign = -1 if maximize else 1
    optimizer = torch.optim.SGD(layer.parameters(), 0.1, maximize=maximize)
    other = torch.optim.SGD(expected.parameters(), 0.1)
    reg = rz.Regularization(layer, [rz.kernel(PENALTY)])
    reg.attach(optimizer)
    for _ in range(3):
        optimizer.zero_grad()
        (sign * layer(x).square().mean()).backward()
        optimizer.step()
        other.zero_grad()
        (expected(x).square().mean() + by_hand(expected, axis)).backward()
        other.step()
    for weight, wanted in zip(layer.parameters(), expected.parameters(), strict=True):
        torch.testing.assert_close(weight, wanted, rtol=1e-12, atol=1e-12)


def test_a_scaled_gradient_gets_a_scaled_penalty():
    layer, axis, x = made("linear")
    layer = layer.float()
    optimizer = torch.optim.SGD(layer.parameters(), 0.1, fused=True)
    scaler = torch.amp.GradScaler("cpu", init_scale=64.0)
    expected = made("linear")[0].float()
    rz.Regularization(layer, [rz.kernel(PENALTY)]).attach(optimizer)
    scaler.scale(layer(x.float()).square().mean()).backward()
    scaler.step(optimizer)
    (expected(x.float()).square().mean() + by_hand(expected, axis)).backward()
    torch.optim.SGD(expected.parameters(), 0.1).step()
    torch.testing.assert_close(layer.bias, expected.bias)
    torch.testing.assert_close(layer.weight, expected.weight)


@pytest.mark.parametrize("kind", LAYERS)
def test_the_proximal_step_shrinks_row_and_bias_together(kind):
    """By SGD all elements have one threshold: w · max(1 − τs/‖w‖, 0)."""
    layer, axis, x = made(kind)
    expected = made(kind)[0]
    with torch.no_grad():
        for one in (layer, expected):
            one.weight.select(axis, 0).mul_(0.01)
            if one.bias is not None:
                one.bias[0] = 0.02
    optimizer = torch.optim.SGD(layer.parameters(), 0.2)
    rz.Regularization(layer, [rz.kernel(PENALTY, proximal=True)]).attach(optimizer)
    for _ in range(2):
        optimizer.zero_grad()
        (0.01 * layer(x).square().mean()).backward()
        optimizer.step()
        loss = 0.01 * expected(x).square().mean()
        with torch.no_grad():
            parameters = list(expected.parameters())
            for weight, g in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
                weight -= 0.2 * g
            norms = matrix(expected, axis).norm(dim=1)
            factors = (1 - 0.2 * 0.3 / norms).clamp(min=0)
            for i, factor in enumerate(factors):
                expected.weight.select(axis, i).mul_(factor)
                if expected.bias is not None:
                    expected.bias[i] *= factor
    for weight, wanted in zip(layer.parameters(), expected.parameters(), strict=True):
        torch.testing.assert_close(weight, wanted, rtol=1e-12, atol=1e-14)
    assert (layer.weight.select(axis, 0) == 0).all()
    assert layer.bias is None or (layer.bias[0] == 0 and layer.bias[1] != 0)


@pytest.mark.parametrize("groups", [False, True])
def test_under_adam_each_element_has_its_step(groups):
    """At the step τ = η/(√v̂ + ε) of each element, which differs between kernel and bias."""
    layer, _, x = made("linear")
    rates = [{"params": [layer.weight]}, {"params": [layer.bias], "lr": 0.02}]
    optimizer = torch.optim.Adam(rates if groups else layer.parameters(), 0.05)
    rz.Regularization(layer, [rz.kernel(PENALTY, proximal=True)]).attach(optimizer)
    expected = made("linear")[0]
    layer(x).square().mean().backward()
    optimizer.step()
    expected(x).square().mean().backward()
    with torch.no_grad():
        steps = []
        for weight, rate in ((expected.weight, 0.05), (expected.bias, 0.02 if groups else 0.05)):
            step = rate / (weight.grad.abs() + 1e-8)  # the first step's √v̂ is |g|
            weight -= step * weight.grad
            steps.append(step)
        step = torch.cat([steps[0], steps[1][:, None]], dim=1)
        wanted = rz.GroupLasso(0.3, axis=0).prox(matrix(expected, 0), step)
    torch.testing.assert_close(matrix(layer, 0).detach(), wanted, rtol=1e-10, atol=1e-12)


def test_units_of_zeros_can_be_removed():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 2, 3, padding=1))
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    rule = rz.kernel(rz.GroupLasso(0.1, axis="output", with_bias=True), "0", proximal=True)
    with torch.no_grad():
        model[0].bias.fill_(0.5)
    reg = rz.Regularization(model, [rule])
    reg.attach(optimizer)
    x = torch.randn(4, 1, 6, 6)
    y = torch.cat([x.relu(), (-x).relu()], dim=1)
    for _ in range(100):
        optimizer.zero_grad()
        (model(x) - y).square().mean().backward()
        optimizer.step()
    silent = (model[0].weight == 0).flatten(1).all(1)
    assert silent.any()
    assert (model[0].bias[silent] == 0).all()
    small = rz.compact(model)
    assert small[0].out_channels == int((~silent).sum()) > 0
    torch.testing.assert_close(small(x), model(x))


def test_a_frozen_bias_does_not_count():
    layer, axis, x = made("linear")
    layer.bias.requires_grad_(False)
    reg = rz.Regularization(layer, [rz.kernel(PENALTY)])
    layer(x)
    expected = 0.3 * layer.weight.norm(dim=1).sum()
    torch.testing.assert_close(reg.penalty(), expected)
    optimizer = torch.optim.SGD(layer.parameters(), 0.1)
    reg.attach(optimizer)
    before, wanted = layer.bias.clone(), torch.autograd.grad(expected, layer.weight)[0]
    (0 * layer(x).sum()).backward()
    optimizer.step()
    torch.testing.assert_close(layer.weight.grad, wanted)
    assert (layer.bias == before).all()
    layer.bias.requires_grad_(True)
    optimizer.zero_grad()
    (0 * layer(x).sum()).backward()
    optimizer.step()
    assert (layer.bias != before).all()
    assert axis == 0


@pytest.mark.parametrize("proximal", [False, True])
def test_pruned_elements_stay_out_of_the_norm(proximal):
    layer, _, x = made("linear")
    prune.custom_from_mask(layer, "weight", torch.ones(3, 4).triu())
    prune.custom_from_mask(layer, "bias", torch.tensor([0.0, 1.0, 1.0]))
    optimizer = torch.optim.SGD(layer.parameters(), 0.1)
    reg = rz.Regularization(layer, [rz.kernel(PENALTY, proximal=proximal)])
    reg.attach(optimizer)
    kernel, bias = layer.weight_orig.detach().clone(), layer.bias_orig.detach().clone()
    (0 * layer(x).sum()).backward()
    optimizer.step()
    both = torch.cat([kernel * layer.weight_mask, (bias * layer.bias_mask)[:, None]], dim=1)
    # at a step of 0.1 a gradient and the proximal step move a row by 0.03 of its direction
    factor = 1 - 0.03 / both.norm(dim=1, keepdim=True)
    mask = torch.cat([layer.weight_mask, layer.bias_mask[:, None]], dim=1)
    now = torch.cat([layer.weight_orig, layer.bias_orig[:, None]], dim=1).detach()
    before = torch.cat([kernel, bias[:, None]], dim=1)
    torch.testing.assert_close(now, torch.where(mask != 0, both * factor, before))


def test_a_parametrized_kernel_is_read_in_the_loss():
    layer, axis, x = made("linear")
    parametrizations.weight_norm(layer)
    reg = rz.Regularization(layer, [rz.kernel(PENALTY)])
    layer(x)
    torch.testing.assert_close(reg.penalty(), by_hand(layer, axis))
    with pytest.raises(RegimeError, match="weight is computed from other parameters"):
        reg.attach(torch.optim.SGD(layer.parameters(), 0.1))


@pytest.mark.parametrize("axis", [0, "input", (0, 1)])
def test_another_axis_is_refused(axis):
    with pytest.raises(ConfigurationError, match=r"with_bias: expected axis='output' with it"):
        rz.GroupLasso(0.1, axis=axis, with_bias=True)


def test_what_has_no_bias_of_outputs_is_refused():
    with pytest.raises(ConfigurationError, match="with_bias: expected a sum or a mean over out"):
        rz.GroupLasso(0.1, axis="output", with_bias=True, reduce="batch_mean")
    with pytest.raises(ConfigurationError, match="Budget: expected a penalty of one array"):
        rz.Budget(PENALTY, 0.1)
    with pytest.raises(ConfigurationError, match="activity: expected the number of an axis"):
        rz.activity(PENALTY, where="0")
    with pytest.raises(ConfigurationError, match="axis"):
        PENALTY(torch.ones(3, 4))


@pytest.mark.parametrize(
    ("model", "rule", "name"),
    [
        (nn.GRU(3, 4), rz.kernel(PENALTY), r"weight_ih_l0: with_bias=True: .* of GRU"),
        (nn.MultiheadAttention(4, 2), rz.kernel(PENALTY), "in_proj_weight: with_bias=True"),
        (nn.Linear(3, 2), rz.bias(PENALTY), "bias: with_bias=True: expected the kernel"),
        (
            nn.ConvTranspose1d(4, 4, 2, groups=2),
            rz.kernel(PENALTY),
            "weight: with_bias=True: .* without groups",
        ),
    ],
    ids=["recurrent", "attention", "a bias", "transposed groups"],
)
def test_other_weights_are_refused_by_name(model, rule, name):
    with pytest.raises(ConfigurationError, match=name):
        rz.Regularization(model, [rule])


def test_both_must_move_together():
    layer = nn.Linear(3, 2)
    first, second = torch.optim.SGD([layer.weight], 0.1), torch.optim.SGD([layer.bias], 0.1)
    reg = rz.Regularization(layer, [rz.kernel(PENALTY)])
    with pytest.raises(SelectionError, match="1 of the penalised weights are trainable and not"):
        reg.attach(first)
    with pytest.raises(RegimeError, match=r"weight/kernel/GroupLasso: .* held by two optimizers"):
        reg.attach(first, second)


@pytest.mark.parametrize(
    "other", [rz.bias(rz.L1(0.1), proximal=True), rz.kernel(rz.L1(0.1), proximal=True)]
)
def test_two_proximal_steps_of_one_tensor_are_refused(other):
    layer = nn.Linear(3, 2)
    reg = rz.Regularization(layer, [rz.kernel(PENALTY, proximal=True), other])
    with pytest.raises(RegimeError, match="one of them has another proximal penalty"):
        reg.attach(torch.optim.SGD(layer.parameters(), 0.1))
    rz.Regularization(layer, [rz.kernel(PENALTY), other]).attach(
        torch.optim.SGD(layer.parameters(), 0.1)
    )


def test_a_target_of_zeros_is_refused():
    penalty = rz.GroupLasso(rz.TargetZeros(0.5), axis="output", with_bias=True)
    with pytest.raises(
        ConfigurationError, match=r"kernel: TargetZeros\(0\.5\) measures kernels al"
    ):
        rz.kernel(penalty, proximal=True)
