"""What the penalty of a weight is measured from and by: towards= and importance=."""

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, prune

import regularizers as rz
from attach.helpers import Net, batch, mlp
from regularizers.errors import ArrayTypeError, ConfigurationError, RegimeError, ShapeError

DTYPES = [torch.float16, torch.bfloat16, torch.float32, torch.float64]

FORMULAS = {
    "L1": (rz.L1(0.3), lambda d, f: 0.3 * (f * d.abs()).sum()),
    "L2Squared": (rz.L2Squared(0.5), lambda d, f: 0.5 * (f * d.square()).sum()),
    "L2Squared mean": (
        rz.L2Squared(0.5, reduce="mean"),
        lambda d, f: 0.5 * (f * d.square()).sum() / d.numel(),
    ),
    "L1 batch_mean": (
        rz.L1(0.3, reduce="batch_mean"),
        lambda d, f: 0.3 * (f * d.abs()).sum() / len(d),
    ),
    "L1L2": (rz.L1L2(0.3, 0.2), lambda d, f: (f * (0.3 * d.abs() + 0.2 * d.square())).sum()),
    "Huber": (
        rz.Huber(1.0, 0.5),
        lambda d, f: (
            f * torch.where(d.abs() <= 0.5, d.square() / 2, 0.5 * (d.abs() - 0.25))
        ).sum(),
    ),
    "Lp": (rz.Lp(0.3, 1.5), lambda d, f: 0.3 * (f * d.abs().pow(1.5)).sum()),
    "Elementwise": (
        rz.Elementwise(0.5, lambda xp, x: xp.log1p(x * x), name="Cauchy"),
        lambda d, f: 0.5 * (f * d.square().log1p()).sum(),
    ),
}
"""Penalties, and by hand: of the difference d, by importance f."""
NOT_SUMS = {
    "L2Norm": (rz.L2Norm(0.5), lambda d: 0.5 * d.norm()),
    "GroupLasso": (rz.GroupLasso(0.5, axis="output"), lambda d: 0.5 * d.norm(dim=1).sum()),
    "Budget": (rz.Budget(rz.L1(0.5), 1.0), lambda d: 0.5 * (d.abs().sum() - 1).relu()),
}
every = pytest.mark.parametrize("name", FORMULAS)


def other_weights(model: nn.Module, seed: int = 3) -> dict[str, Tensor]:
    """Return values for every parameter that are not those it has."""
    generator = torch.Generator().manual_seed(seed)
    return {
        name: torch.randn(p.shape, generator=generator, dtype=torch.float64).to(p.dtype)
        for name, p in model.named_parameters()
    }


def factors(model: nn.Module) -> dict[str, Tensor]:
    """Return an importance of every parameter, 0 for some elements."""
    return {name: w.square() * (w > -0.5) for name, w in other_weights(model, seed=4).items()}


def kernels_of(model: nn.Module) -> dict[str, Tensor]:
    return {n: p for n, p in model.named_parameters() if n.endswith("weight")}


@every
@pytest.mark.parametrize("is_weighted", [False, True])
@pytest.mark.parametrize("is_shifted", [False, True])
def test_value_and_gradient_are_those_of_the_formula(name, is_shifted, is_weighted):
    model = mlp()
    penalty, formula = FORMULAS[name]
    towards = other_weights(model) if is_shifted else None
    importance = factors(model) if is_weighted else None
    reg = rz.Regularization(model, [rz.kernel(penalty, towards=towards, importance=importance)])
    expected = sum(
        formula(w - towards[n] if towards else w, importance[n] if importance else torch.ones(()))
        for n, w in kernels_of(model).items()
    )
    weights = list(kernels_of(model).values())
    torch.testing.assert_close(reg.penalty(), expected)
    for got, wanted in zip(
        torch.autograd.grad(reg.penalty(), weights),
        torch.autograd.grad(expected, weights),
        strict=True,
    ):
        torch.testing.assert_close(got, wanted)


@pytest.mark.parametrize("name", NOT_SUMS)
def test_what_is_no_sum_over_elements_can_be_shifted_and_not_weighted(name):
    model = mlp()
    penalty, formula = NOT_SUMS[name]
    towards = other_weights(model)
    reg = rz.Regularization(model, [rz.kernel(penalty, towards=towards)])
    expected = sum(formula(w - towards[n]) for n, w in kernels_of(model).items())
    weights = list(kernels_of(model).values())
    torch.testing.assert_close(reg.penalty(), expected)
    torch.testing.assert_close(
        torch.autograd.grad(reg.penalty(), weights), torch.autograd.grad(expected, weights)
    )
    with pytest.raises(ConfigurationError, match=r"kernel: importance= .* sums over elements, .*"):
        rz.kernel(penalty, importance=factors(model))


def test_the_gradient_of_the_gradient_is_right():
    model = mlp()
    towards, importance = other_weights(model), factors(model)
    rule = rz.kernel(rz.Lp(0.3, 3.0), where="0", towards=towards, importance=importance)
    reg, w = rz.Regularization(model, [rule]), model[0].weight
    (slope,) = torch.autograd.grad(reg.penalty(), w, create_graph=True)
    (second,) = torch.autograd.grad(slope.sum(), w)
    d = (w - towards["0.weight"]).detach()
    torch.testing.assert_close(second, 0.3 * importance["0.weight"] * 6 * d.abs())


@pytest.mark.parametrize("word", ["initial", "now"])
def test_towards_initial_is_the_weights_as_they_were(word):
    model = mlp()
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    reg = rz.Regularization(
        model, [rz.kernel(rz.L2Squared(0.5), towards=word), rz.bias(rz.L1(2.0), towards=word)]
    )
    assert reg.penalty().item() == 0
    with torch.no_grad():
        for p in model.parameters():
            p.add_(torch.randn_like(p))
    expected = sum(
        (0.5 * d.square() if name.endswith("weight") else 2 * d.abs()).sum()
        for name, p in model.named_parameters()
        for d in [p - before[name]]
    )
    torch.testing.assert_close(reg.penalty(), expected)


def test_what_is_given_is_copied():
    model = mlp()
    reg = rz.Regularization(
        model, [rz.kernel(rz.L2Squared(1.0), towards=model.state_dict(), importance=factors(model))]
    )
    assert reg.penalty().item() == 0
    with torch.no_grad():
        model[0].weight.add_(1)
    assert reg.penalty().item() > 0


def test_a_state_dict_that_training_has_changed_since_the_rule_raises():
    model = mlp()
    rule = rz.kernel(rz.L2Squared(1.0), towards=model.state_dict())
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    model(batch()).sum().backward()
    optimizer.step()
    with pytest.raises(ConfigurationError, match=r"0\.weight: towards: the tensor was changed in"):
        rz.Regularization(model, [rule])
    with torch.inference_mode():
        fixed = {name: p.clone() for name, p in model.named_parameters()}
    assert rz.Regularization(model, [rz.kernel(rz.L1(1.0), towards=fixed)]).penalty().item() == 0


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_half_precision_is_accumulated_in_float32(dtype):
    model = nn.Linear(64, 64).to(dtype)
    towards, importance = other_weights(model), factors(model)
    rule = rz.kernel(rz.L2Squared(0.5), towards=towards, importance=importance)
    reg, w = rz.Regularization(model, [rule]), model.weight
    d = w.detach().double() - towards["weight"].double()
    f = importance["weight"].double()
    value = reg.penalty()
    assert value.dtype == torch.promote_types(dtype, torch.float32)
    torch.testing.assert_close(value.double(), 0.5 * (f * d * d).sum(), rtol=1e-5, atol=0)
    (slope,) = torch.autograd.grad(value, w)
    assert slope.dtype == dtype
    torch.testing.assert_close(slope, (f * d).to(dtype))


def test_the_references_follow_the_model_to_another_dtype():
    model = mlp()
    towards = other_weights(model)
    rule = rz.kernel(rz.L2Squared(1.0), towards=towards, importance=factors(model))
    reg = rz.Regularization(model, [rule])
    in_double = reg.penalty()
    model.float()
    assert reg.penalty().dtype == torch.float32
    torch.testing.assert_close(reg.penalty().double(), in_double, rtol=1e-5, atol=0)
    model.double()
    torch.testing.assert_close(reg.penalty(), in_double, rtol=1e-6, atol=0)


def test_a_small_importance_is_not_rounded_to_zero_in_half_precision():
    model = nn.Linear(3, 1).half()
    importance = {"weight": torch.full((1, 3), 1e-9)}
    rule = rz.kernel(rz.L2Squared(1e9), importance=importance)
    reg = rz.Regularization(model, [rule])
    torch.testing.assert_close(reg.penalty(), model.weight.detach().float().square().sum())


def test_injected_it_is_the_same():
    model, twin = mlp(), mlp()
    towards, importance = other_weights(model), factors(model)
    rule = rz.kernel(rz.L2Squared(0.5), towards=towards, importance=importance)
    reg = rz.Regularization(model, [rule], delivery="inject")
    reg.scale_from(model(batch()).square().mean()).backward()
    by_hand = twin(batch()).square().mean() + sum(
        0.5 * (importance[n] * (w - towards[n]).square()).sum() for n, w in kernels_of(twin).items()
    )
    by_hand.backward()
    for got, wanted in zip(model.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(got.grad, wanted.grad)


def test_a_tied_weight_counts_once_under_any_of_its_names():
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3)).double()
    model[1].weight = model[0].weight
    for name in ("0.weight", "1.weight"):
        towards = {name: torch.ones(3, 3)}
        reg = rz.Regularization(model, [rz.kernel(rz.L2Squared(1.0), towards=towards)])
        torch.testing.assert_close(reg.penalty(), (model[0].weight - 1).square().sum())


def test_a_frozen_weight_needs_no_tensor_until_it_is_trained():
    model = mlp()
    model[0].requires_grad_(False)
    importance = {"2.weight": torch.ones(2, 5, dtype=torch.float64)}
    reg = rz.Regularization(model, [rz.kernel(rz.L2Squared(1.0), importance=importance)])
    torch.testing.assert_close(reg.penalty(), model[2].weight.square().sum())
    model[0].requires_grad_(True)
    with pytest.raises(ConfigurationError, match=r"0\.weight: importance: expected a tensor under"):
        reg.penalty()


def test_of_a_pruned_weight_the_masked_value_is_measured():
    model = mlp()
    before = model[0].weight.detach().clone()
    rule = rz.kernel(rz.L2Squared(0.5), where="0", towards="initial")
    reg = rz.Regularization(model, [rule])
    prune.random_unstructured(model[0], "weight", 0.5)
    mask = model[0].weight_mask
    d = mask * before - before
    torch.testing.assert_close(reg.penalty(), 0.5 * d.square().sum())
    with torch.no_grad():
        model[0].weight_orig.add_(1)
    (slope,) = torch.autograd.grad(reg.penalty(), model[0].weight_orig)
    torch.testing.assert_close(slope, mask.to(slope))


def test_of_a_parametrized_weight_the_computed_value_is_measured():
    model = mlp()
    parametrizations.weight_norm(model[0])
    reg = rz.Regularization(model, [rz.kernel(rz.L2Squared(0.5), where="0", towards="initial")])
    before = model[0].weight.detach().clone()
    torch.testing.assert_close(reg.penalty().item(), 0.0)
    with torch.no_grad():
        model[0].parametrizations.weight.original0.mul_(2)
    torch.testing.assert_close(reg.penalty(), 0.5 * before.square().sum())
    with pytest.raises(ConfigurationError, match=r"0\.weight: towards: .*its parts do not stand"):
        rz.Regularization(
            model, [rz.kernel(rz.L2Squared(0.5), where="0", towards=model.state_dict())]
        )


def test_a_weight_that_joins_later_is_measured_from_its_first_value():
    model = mlp()
    reg = rz.Regularization(model, [rz.kernel(rz.L2Squared(1.0), towards="initial")])
    model.append(nn.Linear(2, 2).double())
    assert reg.penalty().item() == 0
    with torch.no_grad():
        model[3].weight.add_(1)
    assert reg.penalty().item() == pytest.approx(4)


def test_rules_of_several_references_add_up():
    model = nn.Linear(3, 2).double()
    first, second = other_weights(model, 5), other_weights(model, 6)
    f = factors(model)
    rules = [
        rz.kernel(rz.L2Squared(1.0)),
        rz.kernel(rz.L2Squared(1.0), towards=first, importance=f),
        rz.kernel(rz.L2Squared(1.0), towards=second, importance=f),
    ]
    reg, w = rz.Regularization(model, rules), model.weight
    expected = w.square().sum() + sum(
        (f["weight"] * (w - each["weight"]).square()).sum() for each in (first, second)
    )
    torch.testing.assert_close(reg.penalty(), expected)
    assert list(reg.penalties()) == [
        "weight/kernel/L2Squared",
        "weight/kernel/L2Squared/towards",
        "weight/kernel/L2Squared/towards/2",
    ]


def test_the_report_and_the_log_say_what_it_is_measured_from():
    model = nn.Linear(3, 2)
    one = {"weight": torch.ones(2, 3)}
    rules = [
        rz.kernel(rz.L1(0.1), towards="now"),
        rz.kernel(rz.L2Squared(0.1), towards=one, importance=one),
        rz.kernel(rz.Huber(0.1), importance=one),
    ]
    reg = rz.Regularization(model, rules)
    shown = [row.penalty for row in reg.report().rows]
    assert shown == [
        "L1(0.1) towards initial",
        "L2Squared(0.1) towards given by importance",
        "Huber(0.1) by importance",
    ]
    reg.penalty()
    assert "weight/kernel/L1/towards" in reg.as_dict()
    assert str(rules[0]) == "kernel(L1(0.1), where='**', towards='initial')"
    assert str(rules[1]).endswith("towards=..., importance=...)")


def test_resuming_is_exact_to_the_bit():
    def run(model, reg, optimizer, steps):
        for step in steps:
            optimizer.zero_grad()
            (model(batch(seed=step)).square().mean() + reg.penalty()).backward()
            optimizer.step()

    def begin():
        model = mlp()
        rules = [rz.kernel(rz.L2Squared(0.5), towards="initial")]
        return model, rules, torch.optim.Adam(model.parameters(), lr=0.01)

    model, rules, optimizer = begin()
    reg = rz.Regularization(model, rules)
    run(model, reg, optimizer, range(10))
    saved = copy.deepcopy([model.state_dict(), optimizer.state_dict(), reg.state_dict()])
    run(model, reg, optimizer, range(10, 20))

    again, rules, optimizer = begin()
    for module, state in zip((again, optimizer), saved[:2], strict=True):
        module.load_state_dict(state)
    resumed = rz.Regularization(again, rules)
    resumed.load_state_dict(saved[2])
    run(again, resumed, optimizer, range(10, 20))
    for got, wanted in zip(again.parameters(), model.parameters(), strict=True):
        assert torch.equal(got, wanted)


def test_a_state_without_the_initial_weights_is_refused_and_changes_nothing():
    model = mlp()
    plain = rz.Regularization(model, [rz.kernel(rz.L2Squared(0.5), towards=model.state_dict())])
    reg = rz.Regularization(model, [rz.kernel(rz.L2Squared(0.5), towards="initial")])
    before = reg.state_dict()
    with pytest.raises(ConfigurationError, match=r"0\.weight: its rule has towards='initial', so"):
        reg.load_state_dict(plain.state_dict())
    wrong = before | {"initial": {name: torch.ones(2) for name in before["initial"]}}
    with pytest.raises(ConfigurationError, match=r"initial weight of shape \(5, 4\), got \(2,\)"):
        reg.load_state_dict(wrong)
    assert reg.penalty().item() == 0
    assert "initial" not in plain.state_dict()


def test_a_model_that_loads_a_state_after_its_weights_were_taken_raises():
    model = mlp()
    saved = rz.Regularization(model, [rz.kernel(rz.L1(1.0), towards="initial")]).state_dict()
    reg = rz.Regularization(model, [rz.kernel(rz.L1(1.0), towards="initial")])
    model.load_state_dict(model.state_dict())
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with pytest.raises(RegimeError, match=r"0\.weight: the model has loaded a state after this"):
        reg.penalty()
    reg.attach(optimizer)
    model(batch()).sum().backward()
    with pytest.raises(RegimeError, match=r"restore its reg\.load_state_dict\(state\)"):
        optimizer.step()
    reg.load_state_dict(saved)
    optimizer.step()
    model.load_state_dict(model.state_dict())  # in the course of training, as of the best epoch
    optimizer.step()


@pytest.mark.parametrize("make", [rz.kernel, rz.bias])
@pytest.mark.parametrize(
    ("towards", "message"),
    [
        ("pretrained", r"towards: expected 'initial' or its alias 'now', .* got 'pretrained'"),
        (torch.ones(2), r"got Tensor; write \{\"head\.weight\": tensor\}"),
        (nn.Linear(1, 1), r"got Linear; write model\.state_dict\(\)"),
        ({0: torch.ones(2)}, r"expected tensors by the names of weights, .* got dict"),
        (3.0, "got float"),
    ],
    ids=["word", "tensor", "module", "numbers", "float"],
)
def test_what_towards_cannot_be_raises_where_the_rule_is_written(make, towards, message):
    with pytest.raises(ConfigurationError, match=message):
        make(rz.L1(1.0), towards=towards)


@pytest.mark.parametrize("option", ["towards", "importance"])
@pytest.mark.parametrize(
    ("tensors", "error", "message"),
    [
        ({}, ConfigurationError, "expected a tensor under this name, got no tensor; add it"),
        ({"a": 1, "b": 1, "c": 1, "d": 1, "e": 1}, ConfigurationError, "got a, b, c, d, ...; add"),
        ({"0.weight": torch.ones(4, 5)}, ShapeError, r"expected the shape \(5, 4\) .* \(4, 5\)"),
        ({"0.weight": torch.ones(5, 4).int()}, ArrayTypeError, "floating type, got torch.int32"),
        ({"0.weight": [1.0]}, ArrayTypeError, "floating type, got list"),
    ],
    ids=["missing", "others", "shape", "integers", "list"],
)
def test_a_tensor_that_does_not_fit_raises_with_the_name(option, tensors, error, message):
    rule = rz.kernel(rz.L2Squared(1.0), where="0", **{option: tensors})
    with pytest.raises(error, match=rf"0\.weight: {option}: .*{message}"):
        rz.Regularization(mlp(), [rule])


@pytest.mark.parametrize("bad", [-1.0, float("nan"), float("inf")])
def test_an_importance_that_is_negative_or_not_finite_is_refused(bad):
    importance = {"0.weight": torch.full((5, 4), bad)}
    with pytest.raises(ConfigurationError, match=r"0\.weight: importance: expected finite numbers"):
        rz.Regularization(mlp(), [rz.kernel(rz.L1(1.0), where="0", importance=importance)])


def test_names_without_a_weight_are_ignored():
    model = Net()
    reg = rz.Regularization(model, [rz.kernel(rz.L1(1.0), towards=model.state_dict())])
    assert reg.penalty().item() == 0


def test_a_target_of_zeros_is_refused():
    with pytest.raises(ConfigurationError, match=r"TargetZeros.* exactly 0, and towards= draws"):
        rz.kernel(rz.L1(rz.TargetZeros(0.5)), proximal=True, towards="initial")


def test_weights_without_values_cannot_be_the_initial_ones():
    with torch.device("meta"):
        model = nn.Linear(2, 2)
    with pytest.raises(RegimeError, match=r"weight: towards='initial' .* on the meta device"):
        rz.Regularization(model, [rz.kernel(rz.L1(1.0), towards="initial")])


def test_a_weight_of_another_shape_than_it_had_raises():
    model = mlp()
    reg = rz.Regularization(model, [rz.kernel(rz.L1(1.0), where="0", towards="initial")])
    model[0].weight = nn.Parameter(torch.ones(2, 4, dtype=torch.float64))
    with pytest.raises(
        RegimeError, match=r"0\.weight: towards has shape \(5, 4\), .* \(2, 4\) now"
    ):
        reg.penalty()


def test_groups_of_weight_decay_do_not_know_of_references():
    model = mlp()
    rz.Regularization(model, [rz.kernel(rz.L2Squared(1.0), towards="initial")])
    decays = {g["name"]: g["weight_decay"] for g in rz.weight_decay_groups(model, 0.0)}
    assert decays == {"decay": 0.0, "no_decay": 0.0}


def test_inference_leaves_nothing_that_training_cannot_use():
    model = mlp().float()
    reg = rz.Regularization(model, [rz.kernel(rz.L2Squared(1.0), towards=other_weights(mlp()))])
    with torch.inference_mode():
        reg.penalty()
    reg.penalty().backward()
    assert model[0].weight.grad is not None
